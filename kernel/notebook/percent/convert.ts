import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { UserError } from '../../../src/common/errors.js';
import { readText } from '../../../src/common/files.js';
import type { NotebookDocument } from '../document.js';
import { joinLines, sorted, splitLines } from '../outputs.js';
import { readNotebook } from '../read.js';
import { assertNotebook } from '../schema.js';
import type { PercentScript } from './cell.js';
import { combine, type Earlier } from './combine.js';
import { readScript, writeScript } from './script.js';

type Json = Record<string, unknown>;

/** What jupytext's own extension pairs files by. */
const FORMATS = 'ipynb,ts:percent';
const TYPESCRIPT = { display_name: 'TypeScript (arclab)', language: 'typescript', name: 'arclab' };

/** Whether a file is a script and not a notebook. */
export function isScript(path: string): boolean {
  return /\.ts$/i.test(path);
}

/** The name of a file's other half: `a.ts` of `a.ipynb`, and the other way round. */
export function pairOf(path: string): string {
  return isScript(path) ? path.replace(/\.ts$/i, '.ipynb') : path.replace(/(\.ipynb)?$/i, '.ts');
}

/** Whether a file says that it is one half of a pair. */
function isPaired({ jupytext }: Readonly<Json>): boolean {
  const { formats } = (jupytext ?? {}) as { formats?: unknown };
  return typeof formats === 'string' && /\bipynb\b/.test(formats) && /\bts\b/.test(formats);
}

/** Metadata of a file whose other half has the same name. */
function paired(metadata: Readonly<Json>): Json {
  if (isPaired(metadata)) return { ...metadata };
  return { ...metadata, jupytext: { ...(metadata.jupytext as Json | undefined), formats: FORMATS } };
}

/** Reads a script; one that names no kernel runs on ours. @throws {UserError} */
function readScriptFile(path: string): PercentScript {
  const script = readScript(readText(path, 'a script'), path);
  return { ...script, metadata: { kernelspec: TYPESCRIPT, ...script.metadata } };
}

/**
 * The text of the notebook of a script; with the outputs of the notebook at `target` where there is one.
 * @param isPair whether both are to say that they belong together
 * @throws {UserError} saying what is wrong and where
 */
export function scriptToNotebook(path: string, target: string, isPair: boolean): string {
  const script = readScriptFile(path);
  const { document } = existsSync(target) ? readNotebook(target) : {};
  const metadata = isPair ? paired(script.metadata) : script.metadata;
  const notebook = combine({ ...script, metadata }, document && earlierOf(document));
  assertNotebook(notebook, path);
  // where nothing is new, the file stays as it was written
  if (document && isDeepStrictEqual(normal(parsed(document.text)), normal(notebook))) return document.text;
  return `${JSON.stringify(sorted(notebook), undefined, 1)}\n`;
}

/** The text of the script of a notebook. @throws {UserError} where it is none, or not of TypeScript */
export function notebookToScript(path: string, isPair: boolean): string {
  const { document } = readNotebook(path);
  const { metadata, cells } = document;
  const language = languageOf(metadata);
  if (language !== undefined && !/^(typescript|javascript|ts|js)$/i.test(language)) {
    throw new UserError(
      `${path}: its language is ${language}, and .ts is for TypeScript; jupytext converts notebooks of other languages`,
    );
  }
  return writeScript({ metadata: isPair ? paired(metadata) : metadata, cells: [...cells] });
}

/**
 * Throws where writing over a file would lose it: one that exists, and neither half of the pair says that they
 * belong together. @param force write all the same
 */
export function assertPair(path: string, target: string, force: boolean): void {
  if (force || !existsSync(target)) return;
  const isOther = isScript(path) === isScript(target);
  const says = (file: string) =>
    isScript(file)
      ? isPaired(readScript(readText(file, 'a script'), file).metadata)
      : isPaired(readNotebook(file).document.metadata);
  if (!isOther && pairOf(path) === target && (says(path) || says(target))) return;
  throw new UserError(
    `${target} exists, and does not say that it belongs to ${basename(path)}; --force writes over it, -o gives another name`,
  );
}

function languageOf({ kernelspec, language_info: info }: Readonly<Json>): string | undefined {
  const { language } = (kernelspec ?? {}) as { language?: string };
  return language ?? (info as { name?: string } | undefined)?.name;
}

function earlierOf(document: NotebookDocument): Earlier {
  return { metadata: document.metadata, cells: document.cells, json: parsed(document.text).cells as Json[] };
}

function parsed(text: string): Json {
  return JSON.parse(text.replace(/^\uFEFF/, '')) as Json;
}

/** A notebook with the text of its cells as lines, which a file need not have. */
function normal({ cells, ...rest }: Json): Json {
  const lines = (cells as Json[]).map((cell) => ({
    ...cell,
    source: splitLines(String(joinLines(cell.source))),
  }));
  return { ...rest, cells: lines };
}
