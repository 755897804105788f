import { setTimeout as sleep } from 'node:timers/promises';
import type { CompletionItem, Language } from '../language/language.js';
import type { EngineLink } from './engine-link.js';
import { pageOf } from './pager.js';
import { codePointOffset, utf16Offset } from './text.js';
import type { Json } from './wire.js';

/** `a.b?.` before the cursor: what is safe to look up in live values, because it only reads names. */
const LIVE_PATH =
  /((?:[\p{ID_Start}$_][\p{ID_Continue}$]*(?:\??\.))*)([\p{ID_Start}$_][\p{ID_Continue}$]*)?$/u;

function placeOf({ code, cursor_pos: position }: Json): { text: string; offset: number } {
  const text = String(code);
  return { text, offset: typeof position === 'number' ? utf16Offset(text, position) : text.length };
}

/** JupyterLab drops what comes after a second; TypeScript may still be loading then. In ms. */
const TIMELY = 700;

/** Answers `complete_request`: what TypeScript knows first, then what only the live values know. */
export async function completeReply(content: Json, language: Language, engine: EngineLink): Promise<object> {
  const { text, offset } = placeOf(content);
  const [whole = '', path = '', typed = ''] = LIVE_PATH.exec(text.slice(0, offset)) ?? [];
  const late = sleep(TIMELY, undefined, { ref: false });
  const asked = language.complete(text, offset);
  // behind `f().` stand names that are known only when the code runs
  const isMember = text[offset - whole.length - 1] === '.';
  const names = isMember ? [] : await engine.properties(path.replace(/\??\.$/, '').replaceAll('?.', '.'));
  const live = names.filter(({ name }) => name.startsWith(typed) && isIdentifier(name));
  // live values alone are better than an answer that comes too late
  const timely = live.length > 0 ? await Promise.race([asked, late]) : await asked;
  const known = timely ?? { start: offset - typed.length, end: offset, items: [], quoted: false };
  const fitting = known.quoted ? [] : live;
  const items = new Map<string, CompletionItem>();
  for (const item of [...known.items, ...fitting]) {
    // what an earlier cell has declared is, to TypeScript, an import of it
    const { kind } = items.get(item.name) ?? { kind: 'alias' };
    if (kind === 'alias') items.set(item.name, item);
  }
  return {
    status: 'ok',
    matches: [...items.keys()],
    cursor_start: codePointOffset(text, known.start),
    cursor_end: codePointOffset(text, known.end),
    metadata: {
      _jupyter_types_experimental: [...items.values()].map(({ name, kind }) => ({
        text: name,
        type: kind,
        start: codePointOffset(text, known.start),
        end: codePointOffset(text, known.end),
      })),
    },
  };
}

/** Answers `is_complete_request`. A console that gets no answer within a second never asks again. */
export function isCompleteReply({ code }: Json, language: Language): Promise<object> | object {
  if (pageOf(String(code)) !== undefined) return { status: 'complete' };
  const late = sleep(TIMELY, { status: 'unknown' }, { ref: false });
  return Promise.race([language.isComplete(String(code)), late]);
}

/** What is known of a name. */
export interface Inspected {
  status: 'ok';
  found: boolean;
  data: { 'text/plain'?: string };
  metadata: object;
}

/** Answers `inspect_request`: signature and documentation, and the value that is there now. */
export async function inspectReply(
  content: Json,
  language: Language,
  engine: EngineLink,
): Promise<Inspected> {
  const { text, offset } = placeOf(content);
  const rest = /^[\p{ID_Continue}$]*/u.exec(text.slice(offset))![0];
  const [before] = LIVE_PATH.exec(text.slice(0, offset)) ?? [''];
  const expression = (before + rest).replaceAll('?.', '.').replace(/\.$/, '');
  const [known, live] = await Promise.all([
    language.inspect(text, offset),
    expression === '' ? undefined : engine.describe(expression),
  ]);
  // a signature says all about a function
  const isTold = known !== undefined && live?.startsWith('function\n');
  const parts = [known, isTold ? undefined : live].filter((part) => part !== undefined);
  const found = parts.length > 0;
  return { status: 'ok', found, data: found ? { 'text/plain': parts.join('\n\n') } : {}, metadata: {} };
}

function isIdentifier(name: string): boolean {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name);
}
