import type { Debugger } from 'node:inspector';
import { pathToFileURL } from 'node:url';
import { breakableAt } from './breakable.js';
import type { Inspector } from './inspector.js';
import { type Breakpoint, CAPABILITIES, DebugError, type SourceBreakpoint } from './protocol.js';
import type { Script, Scripts } from './scripts.js';
import { CELL_NAMES } from './source-names.js';

/** A breakpoint of a client, and what it has become in the scripts with its path. Lines count from 0. */
interface Entry {
  id: number;
  path: string;
  line: number;
  column: number | undefined;
  /** JavaScript. */
  condition: string | undefined;
  /** The inspector's ids. */
  placed: Set<string>;
  /** Where it stops, once a script has been compiled. */
  actual: { line: number; column: number } | undefined;
}

/** The breakpoints that clients have set; each is placed in every script with its path, also in those to come. */
export class Breakpoints {
  readonly #inspector: Inspector;
  readonly #scripts: Scripts;
  readonly #onChange: (breakpoint: Breakpoint) => void;
  readonly #entries = new Map<string, Entry[]>();
  #count = 0;
  /** What lets V8 stop before a script with breakpoints to come. */
  #gate: string | undefined;

  constructor(inspector: Inspector, scripts: Scripts, onChange: (breakpoint: Breakpoint) => void) {
    this.#inspector = inspector;
    this.#scripts = scripts;
    this.#onChange = onChange;
  }

  /** Replaces the breakpoints of a cell or a file. */
  async set(path: string, wanted: readonly SourceBreakpoint[]): Promise<Breakpoint[]> {
    for (const { placed } of this.#entries.get(path) ?? []) await this.#remove(placed);
    const entries: Entry[] = [];
    for (const { line, column, condition } of wanted) {
      const stripped = condition && (await this.#inspector.view<string>('strip', condition));
      entries.push({
        id: this.#count++,
        path,
        line: line - 1,
        column: column === undefined ? undefined : column - 1,
        condition: stripped,
        placed: new Set(),
        actual: undefined,
      });
    }
    if (entries.length > 0) this.#entries.set(path, entries);
    else this.#entries.delete(path);
    await this.#toggleGate();
    const scripts = await this.#scripts.withPath(path);
    for (const script of scripts) for (const entry of entries) await this.#place(entry, script);
    if (scripts.length === 0) await this.#foresee(path, entries);
    for (const entry of entries) await this.#placeInFile(entry);
    return entries.map((entry) => this.#describe(entry));
  }

  /** Places what waits for a script, which has just been compiled and does not run yet. */
  async onCompiled(script: Script): Promise<void> {
    for (const entry of this.#entries.get(script.path ?? '') ?? []) {
      const before = entry.actual;
      await this.#place(entry, script);
      if (entry.actual !== undefined && before === undefined) this.#onChange(this.#describe(entry));
    }
  }

  /** The breakpoints of which the inspector has hit some. */
  hit(placed: readonly string[]): number[] {
    const all = [...this.#entries.values()].flat();
    return all.filter((entry) => placed.some((id) => entry.placed.has(id))).map(({ id }) => id);
  }

  /** What `debugInfo` tells, for a client that reloads its page. */
  list(): { source: string; breakpoints: { line: number }[] }[] {
    return [...this.#entries].map(([source, entries]) => ({
      source,
      breakpoints: entries.map(({ line, actual }) => ({ line: (actual ?? { line }).line + 1 })),
    }));
  }

  async #toggleGate(): Promise<void> {
    if (this.#entries.size > 0 === (this.#gate !== undefined)) return;
    if (this.#gate !== undefined) {
      await this.#inspector.send('Debugger.removeBreakpoint', { breakpointId: this.#gate });
      this.#gate = undefined;
      return;
    }
    const { breakpointId } = await this.#inspector.send<{ breakpointId: string }>(
      'Debugger.setInstrumentationBreakpoint',
      { instrumentation: 'beforeScriptWithSourceMapExecution' },
    );
    this.#gate = breakpointId;
  }

  /** Reports where breakpoints in a cell that has not run will stop. */
  async #foresee(path: string, entries: readonly Entry[]): Promise<void> {
    const places = entries.length > 0 ? await this.#scripts.breakableOfDraft(path) : [];
    for (const entry of entries) entry.actual = breakableAt(places, entry.line, entry.column);
  }

  async #place(entry: Entry, script: Script): Promise<void> {
    try {
      const place = breakableAt(await this.#scripts.breakable(script), entry.line, entry.column);
      if (place === undefined) return;
      entry.actual = { line: place.line, column: place.column };
      const { breakpointId } = await this.#inspector.send<Debugger.SetBreakpointReturnType>(
        'Debugger.setBreakpoint',
        { location: { scriptId: script.id, ...place.at }, condition: entry.condition },
      );
      entry.placed.add(breakpointId);
    } catch (error) {
      // the script has been collected, or another line's breakpoint stands at the same place
      if (!(error instanceof DebugError)) throw error;
    }
  }

  /** JavaScript that Node loads by itself stands where its file has it, and needs no stop to be found. */
  async #placeInFile(entry: Entry): Promise<void> {
    if (!/\.[cm]?js$/.test(entry.path)) return;
    const { line: lineNumber, column: columnNumber, condition } = entry;
    const { breakpointId, locations } = await this.#inspector.send<Debugger.SetBreakpointByUrlReturnType>(
      'Debugger.setBreakpointByUrl',
      { url: pathToFileURL(entry.path).href, lineNumber, columnNumber, condition },
    );
    entry.placed.add(breakpointId);
    const place = locations[0];
    if (place) entry.actual ??= { line: place.lineNumber, column: place.columnNumber ?? 0 };
  }

  async #remove(placed: Set<string>): Promise<void> {
    for (const breakpointId of placed) {
      // one in a script that has been collected is gone already
      await this.#inspector.send('Debugger.removeBreakpoint', { breakpointId }).catch(() => {});
    }
  }

  #describe({ id, path, line, column, actual }: Entry): Breakpoint {
    const source = { path };
    if (actual !== undefined) {
      return { id, verified: true, line: actual.line + 1, column: actual.column + 1, source };
    }
    const waiting = { id, verified: false, line: line + 1, source };
    const place = column === undefined ? waiting : { ...waiting, column: column + 1 };
    return { ...place, message: this.#reason(path) };
  }

  #reason(path: string): string {
    if (!path.startsWith(CELL_NAMES.tmpFilePrefix))
      return 'This file is not loaded, or no code stands here or below.';
    if (this.#scripts.isDumped(path)) return 'No code stands here or below that can stop.';
    return 'No cell has this code: it has been edited or belongs to an earlier kernel.';
  }
}

/** At which exceptions the program stops. */
export type Exceptions = 'none' | 'uncaught' | 'all';

/** What a client wants by the filters that it has chosen. */
export function exceptionsOf(filters: readonly string[]): Exceptions {
  const known = CAPABILITIES.exceptionBreakpointFilters.map(({ filter }) => filter);
  const unknown = filters.find((filter) => !known.includes(filter));
  if (unknown !== undefined)
    throw new DebugError(`unknown filter "${unknown}"; known are ${known.join(', ')}`);
  return filters.includes('all') ? 'all' : filters.includes('uncaught') ? 'uncaught' : 'none';
}
