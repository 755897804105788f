import type { Debugger } from 'node:inspector';
import { basename, dirname, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { kernelFile } from '../common/own-package.js';
import type { ScriptPlace } from '../engine/debug-view.js';
import { IMPORTER_NAME } from '../engine/natives.js';
import { type Breakable, breakableFrom } from './breakable.js';
import { breakableOfDraft } from './drafts.js';
import type { Inspector } from './inspector.js';
import { cellPath, filePath } from './source-names.js';

/** A script that V8 has compiled. */
export interface Script {
  readonly id: string;
  readonly url: string;
  /** The file or the cell's name, as clients know it; undefined for internal code. */
  readonly path: string | undefined;
  /** What is shown for its top level. */
  readonly name: string;
  /** The code of a cell. */
  readonly isCell: boolean;
  /** Part of an installed package. */
  readonly isForeign: boolean;
  /** Whether the kernel made it from TypeScript, and knows where each place came from. */
  readonly isTracked: boolean;
}

/** How V8 knows the code of cells; see the engine. */
const CELL_SCHEME = 'arclab-cell:';
const VERSION = /\?v=\d+$/;

/** Kernel and Node: never stopped in and never shown. */
export const HIDDEN_SCRIPTS = [
  '^node:',
  `/${IMPORTER_NAME}$`,
  `^${quoted(pathToFileURL(dirname(kernelFile)).href)}/kernel[\\w-]*\\.cjs$`,
];

function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** The scripts of the process, with what they were made of. */
export class Scripts {
  readonly #inspector: Inspector;
  readonly #urls = new Map<string, string>();
  readonly #scripts = new Map<string, Script>();
  readonly #breakable = new Map<string, Breakable[]>();
  /** The code of cells that a client has told of, by path, run or not. */
  readonly #dumped = new Map<string, string>();

  constructor(inspector: Inspector) {
    this.#inspector = inspector;
    inspector.on<Debugger.ScriptParsedEventDataType>('Debugger.scriptParsed', ({ scriptId, url }) => {
      if (url.startsWith(CELL_SCHEME) || (url.startsWith('file:') && !isHidden(url)))
        this.#urls.set(scriptId, url);
    });
  }

  /** Notes the code of a cell. @returns its path */
  dump(code: string): string {
    const path = cellPath(code);
    this.#dumped.set(path, code);
    return path;
  }

  /** Whether a client has told of a cell with this path. */
  isDumped(path: string): boolean {
    return this.#dumped.has(path);
  }

  /** The script of an id; undefined where it is the kernel's or Node's. */
  async get(id: string): Promise<Script | undefined> {
    if (this.#urls.has(id) && !this.#scripts.has(id)) await this.#learn([id]);
    return this.#scripts.get(id);
  }

  /** All versions of a file or a cell that have been compiled, the newest last. */
  async withPath(path: string): Promise<Script[]> {
    await this.#learn([...this.#urls.keys()].filter((id) => !this.#scripts.has(id)));
    return [...this.#scripts.values()].filter((script) => script.path === path);
  }

  /** Files of the project that are loaded, each once. */
  async files(): Promise<Script[]> {
    await this.#learn([...this.#urls.keys()].filter((id) => !this.#scripts.has(id)));
    const own = [...this.#scripts.values()].filter(
      ({ url, isForeign }) => url.startsWith('file:') && !isForeign,
    );
    return [...new Map(own.map((script) => [script.path, script])).values()];
  }

  /** The TypeScript of a cell or a file that runs or that a client has told of. */
  async source(path: string): Promise<string | undefined> {
    const dumped = this.#dumped.get(path);
    if (dumped !== undefined) return dumped;
    const script = (await this.withPath(path)).at(-1);
    if (script === undefined) return undefined;
    return script.isTracked ? (await this.#sources([script.url]))[0]?.source : this.code(script.id);
  }

  /** The JavaScript that runs. */
  async code(scriptId: string): Promise<string> {
    const answer = await this.#inspector.send<Debugger.GetScriptSourceReturnType>(
      'Debugger.getScriptSource',
      { scriptId },
    );
    return answer.scriptSource;
  }

  /** Where in the TypeScript places of a script came from; null where the kernel added the code. */
  places(script: Script, places: ScriptPlace[]): Promise<(ScriptPlace | null)[]> {
    if (!script.isTracked) return Promise.resolve(places);
    return this.#inspector.view('places', script.url, places);
  }

  /** Where a script can stop, in the order of its TypeScript. */
  async breakable(script: Script): Promise<Breakable[]> {
    const known = this.#breakable.get(script.id);
    if (known !== undefined) return known;
    const start = { scriptId: script.id, lineNumber: 0, columnNumber: 0 };
    const { locations } = await this.#inspector.send<Debugger.GetPossibleBreakpointsReturnType>(
      'Debugger.getPossibleBreakpoints',
      { start },
    );
    const ats = locations.map(({ lineNumber, columnNumber = 0 }) => ({ lineNumber, columnNumber }));
    const origins = await this.places(
      script,
      ats.map(({ lineNumber, columnNumber }) => [lineNumber, columnNumber]),
    );
    const found = breakableFrom(ats, origins);
    this.#breakable.set(script.id, found);
    return found;
  }

  /** Where a cell that a client has told of, but that has not run, will be able to stop. */
  async breakableOfDraft(path: string): Promise<Breakable[]> {
    const code = this.#dumped.get(path);
    return (code !== undefined && (await breakableOfDraft(this.#inspector, code))) || [];
  }

  async #learn(ids: string[]): Promise<void> {
    const tracked = ids.filter((id) => isTracked(this.#urls.get(id)!));
    const sources = await this.#sources(tracked.map((id) => this.#urls.get(id)!));
    for (const id of ids) {
      const url = this.#urls.get(id)!;
      const origin = isTracked(url) ? (sources[tracked.indexOf(id)] ?? undefined) : undefined;
      const isCell = url.startsWith(CELL_SCHEME);
      const path = isCell ? origin && cellPath(origin.source) : filePath(url.replace(VERSION, ''));
      const isForeign = path?.split(sep).includes('node_modules') === true || isInKernelPackage(path);
      const name = isCell ? url.slice(CELL_SCHEME.length) : basename(path ?? url);
      this.#scripts.set(id, { id, url, path, name, isCell, isForeign, isTracked: origin !== undefined });
    }
  }

  #sources(urls: string[]): Promise<({ name: string; source: string } | null)[]> {
    return urls.length === 0 ? Promise.resolve([]) : this.#inspector.view('sources', urls);
  }
}

function isTracked(url: string): boolean {
  return url.startsWith(CELL_SCHEME) || VERSION.test(url);
}

function isHidden(url: string): boolean {
  return HIDDEN_SCRIPTS.some((pattern) => new RegExp(pattern).test(url));
}

/** The bundles that the kernel was installed with; the library may be among them. */
function isInKernelPackage(path: string | undefined): boolean {
  return path?.endsWith('.cjs') === true && dirname(path) === dirname(kernelFile);
}
