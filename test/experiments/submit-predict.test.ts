import { describe, expect, test } from 'vitest';
import type { Prediction } from '../../src/evaluation/types.js';
import { predictAll, type TaskGroup } from '../../src/experiments/submit-predict.js';
import { RequestFailed, type SubmitWorker, WorkerDied } from '../../src/experiments/submit-process.js';
import type { Item, Request } from '../../src/experiments/submit-protocol.js';

const prediction = ({ taskId, testIndex }: Item) => ({ taskId, testIndex }) as Prediction;
const key = ({ taskId, i }: Item) => `${taskId}/${i}`;

/** Items in rounds: a/0, b/0, …, a/1, b/1, … */
const rounds = (taskIds: readonly string[], count: number): Item[] =>
  Array.from({ length: count }, (_, i) => taskIds.map((taskId) => ({ taskId, testIndex: 0, i }))).flat();

interface World {
  /** What happens when an item is asked for with this adapter; an exception ends the request. */
  answer?: (item: Item, adapter: string | null, slot: string) => void;
  load?: (adapter: string | null) => void;
  start?: (slot: string) => void;
  slots?: number;
  batchSize?: number;
  groups?: TaskGroup[];
  controller?: AbortController;
}

/** Runs `predictAll` with processes that are only played. */
async function play(items: readonly Item[], world: World = {}) {
  const made: string[] = [];
  const asked: { slot: string; items: string[]; adapter: string | null }[] = [];
  const failures: { stage: string; taskId?: string; message: string }[] = [];
  const loads: (string | null)[] = [];
  let starts = 0;
  const ids = [...new Set(items.map(({ taskId }) => taskId))];
  await predictAll({
    items,
    groups: world.groups ?? [{ taskIds: new Set(ids), adapters: [null] }],
    slots: Array.from({ length: world.slots ?? 1 }, (_, i) => ({ name: `process ${i + 1}` })),
    batchSize: world.batchSize ?? 2,
    ledger: {
      add: (item) => made.push(key(item)),
      fail: (failure) => failures.push(failure),
    },
    signal: (world.controller ?? new AbortController()).signal,
    onNote: () => {},
    onItem: () => {},
    async start(slot): Promise<SubmitWorker> {
      starts += 1;
      world.start?.(slot.name);
      let adapter: string | null = null;
      let dead = false;
      return {
        kill: () => {
          dead = true;
        },
        async request(request: Request, onReply = () => {}) {
          if (dead) throw new WorkerDied('dead');
          await new Promise((resolve) => setImmediate(resolve));
          if (request.type === 'load') {
            loads.push(request.adapterPath);
            world.load?.(request.adapterPath);
            adapter = request.adapterPath;
          }
          if (request.type === 'predict') {
            asked.push({ slot: slot.name, items: request.items.map(key), adapter });
            for (const [index, item] of request.items.entries()) {
              world.answer?.(item, adapter, slot.name);
              onReply({ type: 'prediction', index, prediction: prediction(item) });
            }
          }
          return { type: 'done' };
        },
      };
    },
  });
  return { made, asked, failures, loads, starts };
}

const letters = [...'abcdefghij'];

describe('predictions are shared out', () => {
  test('in rounds, once each, by whoever is free; who is asked together does not depend on that', async () => {
    const items = rounds(letters, 6);
    const one = await play(items);
    const two = await play(items, { slots: 2 });
    expect(one.made).toEqual(items.map(key));
    expect([...two.made].sort()).toEqual([...one.made].sort());
    const chunks = ({ asked }: typeof one) => asked.map(({ items }) => items.join()).sort();
    expect(chunks(two)).toEqual(chunks(one));
    expect(new Set(two.asked.map(({ slot }) => slot)).size).toBe(2);
  });

  test('an item that cannot be done is found and costs no other; its task is dropped after two failures', async () => {
    const { made, failures } = await play(rounds(letters, 6), {
      batchSize: 8,
      answer: ({ taskId }) => {
        if (taskId === 'd') throw new RequestFailed('no');
      },
    });
    expect(made).toHaveLength(54);
    expect(failures.map(({ taskId }) => taskId)).toEqual(['d', 'd']);
  });

  test('a process that ends is started again; what it had answered is kept', async () => {
    let ended = false;
    const { made, starts, failures } = await play(rounds(letters, 2), {
      batchSize: 8,
      answer: ({ taskId }) => {
        if (taskId !== 'e' || ended) return;
        ended = true;
        throw new WorkerDied('killed');
      },
    });
    expect([...made].sort()).toEqual(rounds(letters, 2).map(key).sort());
    expect(new Set(made).size).toBe(20);
    expect(starts).toBe(2);
    expect(failures).toEqual([{ stage: 'process', message: 'process 1: killed' }]);
  });

  test('a process that cannot be kept alive is given up, and the other does its work', async () => {
    const { made, failures } = await play(rounds(letters, 4), {
      slots: 2,
      start: (slot) => {
        if (slot === 'process 2') throw new WorkerDied('no such device');
      },
    });
    expect(made).toHaveLength(40);
    expect(failures.at(-1)!.message).toMatch(/process 2 ended 8 times in a row/);
  });

  test('when no process can be kept alive it ends all the same', async () => {
    const start = () => {
      throw new WorkerDied('no');
    };
    const { made, failures } = await play(rounds(letters, 4), { slots: 2, start });
    expect(made).toEqual([]);
    expect(failures.filter(({ message }) => message.includes('given up'))).toHaveLength(2);
  });

  test('an adapter that cannot be loaded, or gives no answers, makes way for the next', async () => {
    const groups = [{ taskIds: new Set(letters), adapters: ['unreadable', 'nan', 'good', null] }];
    const { made, failures, loads } = await play(rounds(letters, 3), {
      groups,
      load: (adapter) => {
        if (adapter === 'unreadable') throw new RequestFailed('damaged');
      },
      answer: (_, adapter) => {
        if (adapter === 'nan') throw new RequestFailed('not a number');
      },
    });
    expect([...made].sort()).toEqual(rounds(letters, 3).map(key).sort());
    expect(loads).toEqual(['unreadable', 'nan', 'good']);
    expect(failures.map(({ stage }) => stage)).toEqual(['model', 'model']);
  });

  test('groups have their own adapters, and none is changed more often than once a round', async () => {
    const groups = [
      { taskIds: new Set(letters.slice(0, 5)), adapters: ['first'] },
      { taskIds: new Set(letters.slice(5)), adapters: ['second'] },
    ];
    const { made, loads, asked } = await play(rounds(letters, 4), { groups, batchSize: 1 });
    expect(made).toHaveLength(40);
    expect(loads.length).toBeLessThanOrEqual(5);
    for (const { items, adapter } of asked) {
      for (const item of items) expect(adapter).toBe(item < 'f' ? 'first' : 'second');
    }
  });

  test('the signal ends it at once, and what comes later is not taken', async () => {
    const controller = new AbortController();
    const { made } = await play(rounds(letters, 100), {
      controller,
      slots: 2,
      answer: ({ taskId, i }) => {
        if (taskId === 'c' && i === 1) controller.abort();
      },
    });
    expect(made.length).toBeLessThan(20);
    expect(made).not.toContain('c/1');
  });
});
