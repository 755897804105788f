import type { Debugger as Cdp, Runtime } from 'node:inspector';
import { Breakpoints, type Exceptions } from './breakpoints.js';
import { isInTry } from './caught.js';
import type { Inspector } from './inspector.js';
import { DebugError, type DebugEvent, THREAD } from './protocol.js';
import { HIDDEN_SCRIPTS, Scripts } from './scripts.js';
import { type Frame, framesOf, isTopLevel } from './stack.js';
import { firstLine } from './values.js';

/** What V8 does next at a stop. */
export type Step = 'stepOver' | 'stepInto' | 'stepOut' | 'resume';

/** How an exception looks that the program has stopped at. */
export type Thrown = Runtime.RemoteObject & { uncaught?: boolean };

/** What happens to the program; see the Debug Adapter Protocol. */
export type Emit = (event: DebugEvent['event'], body?: object) => void;

/** The program that is debugged: whether it runs or stands still, and where. From `attach` to `detach`. */
export class Program {
  readonly scripts: Scripts;
  readonly breakpoints: Breakpoints;
  readonly #inspector: Inspector;
  readonly #emit: Emit;
  readonly #forget: () => void;
  #paused: Cdp.PausedEventDataType | undefined;
  /** The frames of the stop by their ids, which are never given twice. */
  readonly #frames = new Map<number, Frame>();
  #frameCount = 0;
  #lastStep: Step = 'resume';
  #exceptions: Exceptions = 'none';
  /** Breakpoints are changed by one at a time. */
  #queue: Promise<unknown> = Promise.resolve();

  /** @param forget called when what is known of a stop is not true any more */
  constructor(inspector: Inspector, emit: Emit, forget: () => void) {
    this.#inspector = inspector;
    this.#emit = emit;
    this.#forget = forget;
    this.scripts = new Scripts(inspector);
    const onChange = (breakpoint: object) => emit('breakpoint', { reason: 'changed', breakpoint });
    this.breakpoints = new Breakpoints(inspector, this.scripts, onChange);
    inspector.on<Cdp.PausedEventDataType>('Debugger.paused', (paused) => void this.#onPaused(paused));
    inspector.on('Debugger.resumed', () => this.#onResumed());
  }

  /** Turns V8's debugger on. */
  async attach(): Promise<void> {
    await this.#inspector.send('Debugger.enable');
    await this.#inspector.send('Debugger.setBlackboxPatterns', { patterns: HIDDEN_SCRIPTS });
  }

  /** Turns it off; a program that stands still goes on. */
  async detach(): Promise<void> {
    await this.#inspector.send('Debugger.disable');
    this.#inspector.close();
    this.#onResumed();
  }

  get isStopped(): boolean {
    return this.#paused !== undefined;
  }

  /** The frames of the stop, the innermost first. @throws {DebugError} where the program runs */
  get frames(): [id: number, frame: Frame][] {
    if (this.#paused === undefined) throw new DebugError('the program is not stopped');
    return [...this.#frames];
  }

  /** @throws {DebugError} where there is none of this id any more */
  frame(id: number): Frame {
    const frame = this.#frames.get(id);
    if (frame === undefined) throw new DebugError(`there is no frame ${id}: the program has gone on`);
    return frame;
  }

  /** The exception that the program has stopped at, if it is one. */
  get thrown(): Thrown | undefined {
    return this.#paused && isException(this.#paused) ? (this.#paused.data as Thrown) : undefined;
  }

  /** Goes on. @throws {DebugError} where the program runs */
  async resume(step: Step): Promise<void> {
    void this.frames;
    this.#lastStep = step;
    await this.#inspector.send(`Debugger.${step}`);
  }

  /** Says at which exceptions to stop. */
  async stopAt(exceptions: Exceptions): Promise<void> {
    this.#exceptions = exceptions;
    const state = exceptions === 'none' ? 'none' : 'all';
    await this.#inspector.send('Debugger.setPauseOnExceptions', { state });
  }

  /** Stops at the next statement of the notebook's that runs. */
  async pause(): Promise<void> {
    this.#lastStep = 'resume';
    await this.#inspector.send('Debugger.pause');
  }

  /** Does what changes breakpoints, after what was begun before. */
  inOrder<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(action);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #onPaused(paused: Cdp.PausedEventDataType): Promise<void> {
    try {
      if (isBeforeScript(paused)) {
        const script = await this.scripts.get(paused.callFrames[0]!.location.scriptId);
        if (script) await this.inOrder(() => this.breakpoints.onCompiled(script));
      }
      const isForNothing = paused.reason === 'instrumentation' || (await this.#isCaught(paused));
      const frames = isForNothing ? [] : await framesOf(this.scripts, paused.callFrames);
      const isUnasked = (paused.hitBreakpoints ?? []).length === 0 && !isException(paused);
      if (frames[0] === undefined || (isUnasked && frames[0].place === null)) {
        // nothing to show here: a script that begins, something that is caught, or code of Node's or the kernel's
        const goesOn = isException(paused) || frames[0] !== undefined;
        await this.#inspector.send(`Debugger.${goesOn ? this.#lastStep : 'resume'}`);
        return;
      }
      this.#paused = paused;
      for (const frame of frames) this.#frames.set(++this.#frameCount, frame);
      this.#emit('stopped', this.#stoppedBody(paused));
    } catch {
      // a stop whose place is not known is of no use
      await this.#inspector.send('Debugger.resume').catch(() => {});
    }
  }

  /**
   * Whether an exception is to be passed over because something catches it. V8 takes all that a cell throws after its
   * first `await` for caught, by the one who waits for the cell; there the code itself is looked at.
   */
  async #isCaught(paused: Cdp.PausedEventDataType): Promise<boolean> {
    if (!isException(paused) || this.#exceptions !== 'uncaught') return false;
    if ((paused.data as Thrown | undefined)?.uncaught) return false;
    const calls = paused.callFrames;
    const scripts = await Promise.all(calls.map(({ location }) => this.scripts.get(location.scriptId)));
    const end = scripts.findIndex((script, i) => script?.isCell && isTopLevel(calls[i]!));
    if (end === -1) return true;
    for (const { location } of calls.slice(0, end + 1)) {
      const code = await this.scripts.code(location.scriptId);
      if (isInTry(code, location.lineNumber, location.columnNumber ?? 0)) return true;
    }
    return false;
  }

  #stoppedBody(paused: Cdp.PausedEventDataType): object {
    const body = { threadId: THREAD.id, allThreadsStopped: true, preserveFocusHint: false };
    if (isException(paused)) {
      const { className, description = '' } = (paused.data ?? {}) as Thrown;
      return { reason: 'exception', ...body, description: firstLine(description), text: className };
    }
    const hitBreakpointIds = this.breakpoints.hit(paused.hitBreakpoints ?? []);
    if (hitBreakpointIds.length > 0) return { reason: 'breakpoint', ...body, hitBreakpointIds };
    return { reason: this.#lastStep === 'resume' ? 'pause' : 'step', ...body };
  }

  #onResumed(): void {
    if (this.#paused === undefined) return;
    this.#paused = undefined;
    this.#frames.clear();
    this.#forget();
    this.#emit('continued', { threadId: THREAD.id, allThreadsContinued: true });
  }
}

function isException({ reason }: Cdp.PausedEventDataType): boolean {
  return reason === 'exception' || reason === 'promiseRejection';
}

/** Whether V8 has stopped because a script has been compiled; that may be one reason among others. */
function isBeforeScript({ reason, data }: Cdp.PausedEventDataType): boolean {
  const { reasons = [] } = (data ?? {}) as { reasons?: { reason: string }[] };
  return reason === 'instrumentation' || reasons.some((one) => one.reason === 'instrumentation');
}
