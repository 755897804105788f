/**
 * Stack traces as the person knows the code: cells and TypeScript files by their names and own lines, without
 * the frames of the kernel and of Node's inner modules.
 */
import { dirname, relative } from 'node:path';
import { kernelFile } from '../common/own-package.js';
import type { Position } from './edited-source.js';

/** Code that the kernel has given to V8 under a name of its own. */
export interface TrackedSource {
  /** What is shown instead: a cell's name or a file's path. */
  name: string;
  /** TypeScript as it was written. */
  source: string;
  /** Where in it a place of the running code came from. */
  original(place: Position): Position;
}

/** A place in the person's own code. */
export interface CodePlace extends Position {
  name: string;
}

const byUrl = new Map<string, TrackedSource>();
const byName = new Map<string, TrackedSource>();
const kernelFolder = dirname(kernelFile);

/** Makes V8's name for a piece of code known. */
export function trackSource(url: string, tracked: TrackedSource): void {
  byUrl.set(url, tracked);
  byName.set(tracked.name, tracked);
}

/**
 * What is written behind a piece of code that is given to V8 under a name of the kernel's. That it has a source map
 * (which is nowhere) lets a debugger stop before it runs, and no other code, to place its breakpoints.
 */
export function sourceComments(url: string): string {
  return `\n//# sourceURL=${url}\n//# sourceMappingURL=arclab-kernel:source`;
}

/** What is known of a piece of code by V8's name for it. */
export function trackedSource(url: string): TrackedSource | undefined {
  return byUrl.get(url);
}

/** The TypeScript of a cell or a file by the name that is shown. */
export function sourceNamed(name: string): string | undefined {
  return byName.get(name)?.source;
}

/** Lets `error.stack` show the person's places everywhere, also where a cell prints it. */
export function installStackTraces(): void {
  Error.prepareStackTrace = (error, frames) => {
    const header = headerOf(error);
    return personal([header, ...frames.map((frame) => `    at ${frame}`)]);
  };
}

/** A stack trace that was made without the function above. */
export function mapStack(stack: string): string {
  return personal(stack.split('\n'));
}

function personal(lines: string[]): string {
  // below the evaluation of a cell there is only the kernel
  const end = lines.findIndex((line) => line.includes('at Session.post (node:inspector'));
  return lines
    .slice(0, end === -1 ? lines.length : end)
    .filter(keepLine)
    .map(mapLine)
    .join('\n');
}

function headerOf(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

const LOCATION =
  /^(\s+at .*?)(\()?((?:file:\/\/|node:|arclab-cell:|\/|[A-Za-z]:\\)[^()]*|[^\s()]+):(\d+):(\d+)(\)?)$/;

/** Whether a line of a stack trace says something to the person. */
function keepLine(line: string): boolean {
  if (!/^\s+at /.test(line)) return true;
  if (/\bnode:(internal|inspector)\b/.test(line)) return false;
  if (line.includes(kernelFile)) return false;
  return !(line.includes(kernelFolder) && /kernel[\w-]*\.cjs/.test(line));
}

function mapLine(line: string): string {
  const match = LOCATION.exec(line);
  if (match === null) return line;
  const [, before, open = '', url, row, column, close] = match;
  const tracked = byUrl.get(url!);
  if (tracked === undefined) return line;
  const place = tracked.original({ line: Number(row), column: Number(column) - 1 });
  return `${before}${open}${tracked.name}:${place.line}:${place.column + 1}${close}`;
}

/** The first place of a mapped stack trace that lies in a cell or in a local file. */
export function firstPlace(stack: string): CodePlace | undefined {
  for (const line of stack.split('\n')) {
    const match = LOCATION.exec(line);
    if (match !== null && byName.has(match[3]!)) {
      return { name: match[3]!, line: Number(match[4]), column: Number(match[5]) - 1 };
    }
  }
  return undefined;
}

/** A file's name as errors show it: from the working directory where it lies below, else whole. */
export function shownName(file: string): string {
  const short = relative(process.cwd(), file);
  return short.startsWith('..') ? file : short;
}
