/** The replies have the shape of ipykernel's, which clients were made for; ipykernel.py has recorded those. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DebugSession } from './session.js';

type Json = Record<string, unknown>;

const recorded = JSON.parse(readFileSync(new URL('./ipykernel.json', import.meta.url), 'utf8')) as Record<
  string,
  Json
>;

/** What only debugpy has: capabilities of its own, and notes about Python. */
const OF_DEBUGPY =
  /^initialize\.supports|^evaluate\.presentationHint|^scopes\.scopes\.source|^exceptionInfo\.details\.source|^debugInfo\.exceptionPaths: string/;

/** `path: type` of everything in a body; of a list what its first element has. */
function shapeOf(value: unknown, path: string): string[] {
  if (Array.isArray(value)) return [`${path}: list`, ...(value.length > 0 ? shapeOf(value[0], path) : [])];
  if (typeof value !== 'object' || value === null) return [`${path}: ${typeof value}`];
  return Object.entries(value).flatMap(([key, inner]) => shapeOf(inner, `${path}.${key}`));
}

let session: DebugSession;
const mine: Record<string, Json> = {};

beforeAll(async () => {
  session = await DebugSession.start({
    'helper.ts': 'export const triple = (a: number) => {\n  const b = a * 3;\n  return b;\n};',
  });
  const ask = async (command: string, args: object = {}) => {
    const reply = await session.request(command, args);
    mine[command] = reply;
    return reply.body;
  };
  const stopped = async (command: string, reason: string) => {
    if (command !== '') await ask(command, { threadId: 1 });
    mine[`stopped:${reason}`] = { body: await session.event('stopped') };
  };
  await ask('initialize');
  await ask('attach');
  const code =
    "import { triple } from './helper';\nconst items = [1, 2, { k: 'v' }];\nconst n = triple(4);\nn";
  const { sourcePath: path } = await ask('dumpCell', { code });
  await ask('setBreakpoints', { source: { path }, breakpoints: [{ line: 3 }] });
  await ask('configurationDone');
  const id = await session.kernel.send('execute_request', { code });
  await stopped('', 'breakpoint');
  const { stackFrames } = await ask('stackTrace', { threadId: 1 });
  const { scopes } = await ask('scopes', { frameId: stackFrames[0].id });
  await ask('variables', { variablesReference: scopes[0].variablesReference });
  await ask('evaluate', { expression: 'items[0] + 1', frameId: stackFrames[0].id });
  await ask('richInspectVariables', { variableName: 'items', frameId: stackFrames[0].id });
  await stopped('stepIn', 'step');
  mine['continued:'] = { body: await session.event('continued') };
  await ask('scopes', { frameId: (await session.frames())[0].id });
  await stopped('next', 'step');
  await stopped('stepOut', 'step');
  await ask('debugInfo');
  await ask('source', { source: { path } });
  await ask('threads');
  await ask('continue', { threadId: 1 });
  await session.kernel.answer(id);
  await ask('inspectVariables');
  await ask('setExceptionBreakpoints', { filters: ['all'] });
  const failing = await session.kernel.send('execute_request', { code: "throw new RangeError('no');" });
  await stopped('', 'exception');
  await ask('exceptionInfo', { threadId: 1 });
  await session.finish(failing);
  await ask('disconnect');
});

afterAll(() => session?.close());

test.each(Object.keys(recorded))('%s', (name) => {
  const { success = true, body = {} } = mine[name] ?? { success: false };
  expect(success).toBe(true);
  const own = shapeOf(body, name);
  const missing = shapeOf(recorded[name]!.body ?? {}, name).filter((line) => !own.includes(line));
  expect(missing.filter((line) => !OF_DEBUGPY.test(line))).toEqual([]);
});
