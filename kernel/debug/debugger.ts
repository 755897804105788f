import type { Debugger as Cdp, Runtime, Session } from 'node:inspector';
import * as args from './arguments.js';
import { exceptionsOf } from './breakpoints.js';
import { Inspector } from './inspector.js';
import { Program, type Step } from './program.js';
import {
  type Arguments,
  CAPABILITIES,
  DebugError,
  type DebugEvent,
  type DebugResponse,
  type RichVariable,
  THREAD,
} from './protocol.js';
import { CELL_NAMES } from './source-names.js';
import { scopesOf, stackFrame } from './stack.js';
import { firstLine, isIdentifier } from './values.js';
import { OBJECT_GROUP, Variables } from './variables.js';

export interface DebuggerParts {
  /** The inspector of the main thread, asked for when the first request needs it. */
  session(): Session;
  /** Publishes an event. */
  emit(event: DebugEvent): void;
}

type Handler = (given: Arguments) => object | undefined | Promise<object | undefined>;

/**
 * The debugger of the cells: `debug_request`s in, the Chrome DevTools Protocol out. It runs on the transport thread,
 * because the main thread stands still at a breakpoint. Until a client attaches, V8's debugger is off.
 */
export class Debugger {
  readonly #parts: DebuggerParts;
  #inspector: Inspector | undefined;
  #variables: Variables | undefined;
  #program: Program | undefined;
  #isStarted = false;
  #sent = 0;

  constructor(parts: DebuggerParts) {
    this.#parts = parts;
  }

  /** Answers a request, also a malformed one. Never rejects. */
  async answer(request: Arguments): Promise<DebugResponse> {
    const { seq, command } = request;
    const response = {
      type: 'response' as const,
      request_seq: Number.isInteger(seq) ? (seq as number) : 0,
      command: typeof command === 'string' ? command : '',
    };
    try {
      const body = await this.#run(response.command, args.of(request));
      return { ...response, seq: ++this.#sent, success: true, ...(body && { body }) };
    } catch (error) {
      return { ...response, seq: ++this.#sent, success: false, message: (error as Error).message, body: {} };
    }
  }

  #run(command: string, given: Arguments): object | undefined | Promise<object | undefined> {
    const handler = Object.hasOwn(this.#handlers, command) ? this.#handlers[command] : undefined;
    if (handler !== undefined) return handler(given);
    throw new DebugError(`unknown command "${command}"; known are ${Object.keys(this.#handlers).join(', ')}`);
  }

  /** By command. What a handler returns is the body of its response. */
  readonly #handlers: Record<string, Handler> = {
    initialize: () => {
      this.#isStarted = true;
      return CAPABILITIES;
    },
    attach: () => this.#attach(),
    configurationDone: () => undefined,
    disconnect: () => this.#disconnect(),
    debugInfo: () => ({
      isStarted: this.#isStarted,
      ...CELL_NAMES,
      breakpoints: this.#program?.breakpoints.list() ?? [],
      stoppedThreads: this.#program?.isStopped ? [THREAD.id] : [],
      richRendering: true,
      exceptionPaths: [],
      copyToGlobals: true,
    }),
    dumpCell: (given) => ({ sourcePath: this.#attached.scripts.dump(args.text(given, 'code')) }),
    setBreakpoints: async (given) => {
      const { breakpoints } = this.#attached;
      const [path, wanted] = [args.path(given), args.breakpoints(given)];
      return { breakpoints: await this.#attached.inOrder(() => breakpoints.set(path, wanted)) };
    },
    setExceptionBreakpoints: async (given) => {
      await this.#attached.stopAt(exceptionsOf(args.texts(given, 'filters')));
      return undefined;
    },
    source: async (given) => {
      const content = await this.#attached.scripts.source(args.path(given));
      if (content === undefined) throw new DebugError('source unavailable');
      return { content };
    },
    modules: async () => {
      const files = (await this.#program?.scripts.files()) ?? [];
      const modules = files.map(({ id, name, path }) => ({ id: Number(id), name, path }));
      return { modules, totalModules: modules.length };
    },
    threads: () => ({ threads: [THREAD] }),
    stackTrace: (given) => {
      const all = this.#attached.frames.map(([id, frame]) => stackFrame(frame, id));
      const start = args.count(given, 'startFrame') ?? 0;
      const levels = args.count(given, 'levels') || all.length;
      return { stackFrames: all.slice(start, start + levels), totalFrames: all.length };
    },
    scopes: (given) => {
      const frame = this.#attached.frame(args.number(given, 'frameId'));
      return { scopes: scopesOf(frame, (holder) => this.#values.hold(holder)) };
    },
    variables: async (given) => ({
      variables: await this.#values.list(args.number(given, 'variablesReference')),
    }),
    inspectVariables: async () => {
      if (!this.#program?.isStopped) this.#values.clear();
      return { variables: await this.#values.globals() };
    },
    richInspectVariables: (given) =>
      this.#rich(args.text(given, 'variableName'), args.count(given, 'frameId')),
    copyToGlobals: (given) =>
      this.#copy(
        args.text(given, 'srcVariableName'),
        args.text(given, 'dstVariableName'),
        args.number(given, 'srcFrameId'),
      ),
    evaluate: async (given) => {
      const expression = await this.#cdp.view<string>('strip', args.text(given, 'expression'));
      const frameId = args.count(given, 'frameId');
      const value = await this.#evaluate(expression, frameId, { generatePreview: true });
      const { name: _, value: result, ...rest } = this.#values.variable('', value);
      return { result, ...rest };
    },
    exceptionInfo: () => {
      const { thrown } = this.#attached;
      if (thrown === undefined) throw new DebugError('the program has not stopped because of an exception');
      const stackTrace = thrown.description ?? String(thrown.value);
      const [typeName, message] = [thrown.className ?? thrown.type, firstLine(stackTrace)];
      const breakMode = thrown.uncaught ? 'unhandled' : 'always';
      return {
        exceptionId: typeName,
        description: message,
        breakMode,
        details: { message, typeName, stackTrace },
      };
    },
    continue: async () => {
      await this.#attached.resume('resume');
      return { allThreadsContinued: true };
    },
    next: () => this.#step('stepOver'),
    stepIn: () => this.#step('stepInto'),
    stepOut: () => this.#step('stepOut'),
    pause: async () => {
      await this.#attached.pause();
      return undefined;
    },
  };

  get #cdp(): Inspector {
    this.#inspector ??= new Inspector(this.#parts.session());
    return this.#inspector;
  }

  get #values(): Variables {
    this.#variables ??= new Variables(this.#cdp);
    return this.#variables;
  }

  get #attached(): Program {
    if (this.#program !== undefined) return this.#program;
    throw new DebugError('the debugger is not attached; send "initialize" and "attach" first');
  }

  async #attach(): Promise<undefined> {
    if (!this.#isStarted) throw new DebugError('the debugger is not initialized; send "initialize" first');
    if (this.#program === undefined) {
      this.#program = new Program(
        this.#cdp,
        (event, body) => this.#emit(event, body),
        () => this.#values.clear(),
      );
      await this.#program.attach();
    }
    this.#emit('initialized');
    return undefined;
  }

  async #disconnect(): Promise<undefined> {
    this.#isStarted = false;
    const program = this.#program;
    if (program === undefined) return undefined;
    this.#values.clear();
    await program.detach();
    this.#program = undefined;
    this.#emit('terminated');
    return undefined;
  }

  async #step(step: Step): Promise<undefined> {
    await this.#attached.resume(step);
    return undefined;
  }

  /** The value of JavaScript in a frame or, without one, among what cells have declared. */
  async #evaluate(
    expression: string,
    frameId: number | undefined,
    options: object = {},
  ): Promise<Runtime.RemoteObject> {
    const parameters = { expression, objectGroup: OBJECT_GROUP, silent: true, ...options };
    const callFrameId = frameId === undefined ? undefined : this.#attached.frame(frameId).call.callFrameId;
    const { result, exceptionDetails } =
      callFrameId === undefined
        ? await this.#cdp.send<Runtime.EvaluateReturnType>('Runtime.evaluate', parameters)
        : await this.#cdp.send<Cdp.EvaluateOnCallFrameReturnType>('Debugger.evaluateOnCallFrame', {
            ...parameters,
            callFrameId,
          });
    if (exceptionDetails) throw new DebugError(result.description ?? exceptionDetails.text);
    return result;
  }

  async #rich(name: string, frameId: number | undefined): Promise<RichVariable> {
    if (!isIdentifier(name)) throw new DebugError(`"${name}" is not the name of a variable`);
    const frame = this.#program?.isStopped ? frameId : undefined;
    const { value } = await this.#evaluate(`__kernel__.debug.bundle(${name})`, frame, {
      returnByValue: true,
    });
    return { data: value, metadata: {} };
  }

  /** Declares a variable for the cells to come, with the value that one has in a frame. */
  async #copy(from: string, to: string, frameId: number): Promise<undefined> {
    if (!isIdentifier(from) || !isIdentifier(to)) {
      throw new DebugError('srcVariableName and dstVariableName must be names of variables');
    }
    await this.#evaluate(`__kernel__.debug.copied = ${from}`, frameId);
    // a declaration that may be repeated is answered as a promise is kept, which waits for the program to go on
    this.#evaluate(`let ${to} = __kernel__.debug.copied`, undefined, { replMode: true }).catch(() => {});
    await this.#evaluate(to, undefined);
    return undefined;
  }

  #emit(event: DebugEvent['event'], body?: object): void {
    this.#parts.emit({ type: 'event', seq: ++this.#sent, event, ...(body && { body }) });
  }
}
