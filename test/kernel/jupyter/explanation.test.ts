/** What a cell that fails waits for: the explanation of its types, if it comes soon. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { CellOutcome } from '../../../kernel/contract.js';
import type { EngineLink } from '../../../kernel/jupyter/engine-link.js';
import { Executor } from '../../../kernel/jupyter/executor.js';
import { History } from '../../../kernel/jupyter/history/history.js';
import type { IoPub } from '../../../kernel/jupyter/iopub.js';
import type { PendingWriter } from '../../../kernel/jupyter/pending.js';
import type { Replies } from '../../../kernel/jupyter/replies.js';
import type { Message } from '../../../kernel/jupyter/wire.js';
import type { Language } from '../../../kernel/language/language.js';

const failed: CellOutcome = { status: 'error', ename: 'TypeError', evalue: 'no', traceback: [] };

/**
 * What a client is sent for one cell that fails, in order, and how long it was busy after its error, in ms; `explained`
 * says when its types are known.
 */
async function whatIsSent(types: 'late' | 'wait', explained: (reply: Promise<void>) => Promise<void>) {
  const sent: string[] = [];
  const times: Record<string, number> = {};
  const note = (type: string) => {
    times[type] = performance.now();
    sent.push(type);
  };
  let replied = (_: unknown) => {};
  const reply = new Promise<void>((resolve) => {
    replied = () => resolve();
  });
  const explain = async () => {
    await explained(reply);
    return ['Did you mean toFixed?'];
  };
  const executor = new Executor({
    engine: { execute: async () => failed } as unknown as EngineLink,
    iopub: {
      status: () => {},
      publish: note,
      output: ({ type }: { type: string }) => note(type),
    } as unknown as IoPub,
    replies: { send: () => replied(note('reply')) } as unknown as Replies,
    history: new History(),
    language: { note: () => {}, flush: () => {}, checkNow: explain } as unknown as Language,
    pending: { queued: () => {}, running: () => {}, answered: () => {} } as unknown as PendingWriter,
    types,
  });
  const header = {
    msg_id: '1',
    msg_type: 'execute_request',
    session: '',
    username: '',
    date: '',
    version: '',
  };
  executor.add({
    header,
    content: { code: 'x' },
    identities: [],
    metadata: {},
    parentHeader: {},
    buffers: [],
  } as Message);
  await vi.waitFor(() => expect(sent).toHaveLength(4), 10_000);
  return { sent, busyMs: times.reply! - times.error! };
}

const soonOrWaitedFor = ['execute_input', 'error', 'stream', 'reply'];

test.each([
  ['soon is in front of the reply', 'late', async () => {}, soonOrWaitedFor],
  [
    'late does not hold the reply back',
    'late',
    (reply: Promise<void>) => reply,
    ['execute_input', 'error', 'reply', 'stream'],
  ],
  ['late is waited for where that was asked for', 'wait', () => sleep(500), soonOrWaitedFor],
] as const)('an explanation that comes %s', async (_, types, explained, expected) => {
  expect((await whatIsSent(types, explained)).sent).toEqual(expected);
});

test('a cell that fails is busy for a fifth of a second at most where its explanation takes longer', async () => {
  const { busyMs } = await whatIsSent('late', (reply) => reply);
  expect(busyMs).toBeGreaterThan(150);
  // and what a busy machine adds; the explanation itself never comes before the reply
  expect(busyMs).toBeLessThan(5000);
});
