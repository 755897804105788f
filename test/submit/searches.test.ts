/** Submissions that search, with processes and time that are only played; `world.ts` checks that no search comes early. */
import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { key, planOf, play, taskPlanOf, type World, withSearches } from './world.js';

const ids = [...'abcdef'];
const plans = {
  'in rounds': withSearches(planOf(ids, 2, 4)),
  'by task': withSearches(taskPlanOf(ids, 4, 2)),
};

describe.each(Object.entries(plans))('%s', (_, plan) => {
  const all = plan.chunks.flatMap(({ items }) => items.map(key)).sort();

  test('everything is done, in the same company with any number of processes', () => {
    const chunks = (slots: number) => {
      const { kept, asked, state } = play({ plan, slots });
      expect([...kept].sort()).toEqual(all);
      expect(state.reason).toBe('done');
      return asked.map(({ items }) => items.join()).sort();
    };
    for (const slots of [2, 4, 9]) expect(chunks(slots)).toEqual(chunks(1));
  });

  test('a search that is next waits for a prediction that another process makes, and holds nobody up', () => {
    // the last predictions take long: processes have nothing to do but what is ready
    const slow = plan.chunks.findLast(({ items }) => items[0]!.views === undefined)!.items[0]!.taskId;
    const seconds = (item?: { taskId: string; i: number }) => (item?.taskId === slow && item.i < 4 ? 500 : 1);
    const { kept, now } = play({ plan, slots: 3, seconds, policy: { stallTimeout: 10_000 } });
    expect([...kept].sort()).toEqual(all);
    // the slow ones follow each other in one process, and the search comes after
    const own = plan.chunks.flatMap(({ items }) => items.filter(({ taskId }) => taskId === slow));
    expect(now).toBeLessThan(500 * own.length + 50);
  });

  test('a search that fails takes nothing from what was predicted before', () => {
    const answer: World['answer'] = ({ i }) => (i >= plan.items / ids.length - 1 ? 'failed' : 'done');
    const { kept, failures } = play({ plan, slots: 2, answer });
    expect(kept).toHaveLength(plan.items - ids.length);
    expect(failures.filter(({ stage }) => stage === 'predict')).toHaveLength(ids.length);
  });

  test('a search whose process ends once is made again', () => {
    const ended = new Set<string>();
    const answer: World['answer'] = (item) => {
      const isFirst = item.i >= plan.items / ids.length - 1 && !ended.has(key(item));
      if (isFirst) ended.add(key(item));
      return isFirst ? 'died' : 'done';
    };
    const { kept } = play({ plan, slots: 2, answer });
    expect([...kept].sort()).toEqual(all);
    expect(ended.size).toBe(ids.length);
  });

  test('searches that fail after a submission was continued leave the model to the others', () => {
    const isSearch = ({ items }: (typeof plan.chunks)[number]) => items[0]!.views !== undefined;
    const predictions = plan.chunks.filter((chunk) => !isSearch(chunk));
    const before = {
      finished: new Set(predictions),
      tuned: new Map(),
      answers: predictions.flatMap(({ items }) =>
        items.map((item) => ({ item, answer: { predictions: [] } })),
      ),
    };
    const failing = new Set(ids.slice(0, 3));
    const { kept, failures } = play({
      plan,
      before,
      answer: ({ taskId }) => (failing.has(taskId) ? 'failed' : 'done'),
    });
    expect(kept).toHaveLength(ids.length - failing.size);
    expect(failures.map(({ stage }) => stage)).toEqual([...failing].map(() => 'predict'));
  });

  test.each(Array.from({ length: 20 }, (_, seed) => [seed]))(
    'whatever goes wrong, it ends (seed %d)',
    (seed) => {
      const rng = Rng.of(seed, 'searches');
      const fates = ['failed', 'died', 'silent', 'too long'] as const;
      const { state } = play({
        ...{ plan, slots: 1 + Math.floor(4 * rng.uniform()) },
        seconds: () => 0.1 + 5 * rng.uniform(),
        answer: () => (rng.chance(0.25) ? fates[Math.floor(fates.length * rng.uniform())]! : 'done'),
      });
      expect(state.phase).toBe('ended');
    },
  );

  test('a deadline leaves every test input with an answer before any is searched', () => {
    const { kept } = play({ plan, slots: 2, policy: { deadline: 14 }, seconds: () => 1 });
    const searched = kept.filter((name) =>
      plan.chunks.some(({ items }) => items[0]!.views && key(items[0]!) === name),
    );
    if (searched.length > 0) for (const id of ids) expect(kept).toContain(`${id}/0`);
  });
});
