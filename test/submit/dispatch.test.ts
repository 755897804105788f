import { describe, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { type Fate, key, planOf, play, taskPlanOf, type World } from './world.js';

const letters = [...'abcdefghij'];
const all = (count: number) =>
  letters.flatMap((id) => Array.from({ length: count }, (_, i) => `${id}/${i}`)).sort();

describe('predictions are shared out', () => {
  test('in rounds, once each, by whoever is free; who is asked together does not depend on that', () => {
    const plan = planOf(letters, 6);
    const one = play({ plan });
    const two = play({ plan, slots: 2 });
    expect(one.kept).toEqual(plan.chunks.flatMap(({ items }) => items.map(key)));
    expect([...two.kept].sort()).toEqual(all(6));
    const chunks = ({ asked }: typeof one) => asked.map(({ items }) => items.join()).sort();
    expect(chunks(two)).toEqual(chunks(one));
    expect(new Set(two.asked.map(({ slot }) => slot)).size).toBe(2);
    expect(one.state.reason).toBe('done');
  });

  test('an item that cannot be done is found and costs no other; its task is dropped after two failures', () => {
    const { kept, failures } = play({
      plan: planOf(letters, 6, 8),
      answer: ({ taskId }) => (taskId === 'd' ? 'failed' : 'done'),
    });
    expect(kept).toHaveLength(54);
    expect(failures.map(({ taskId }) => taskId)).toEqual(['d', 'd']);
    const patient = play({
      plan: planOf(letters, 6, 8),
      policy: { maxTaskFailures: 4 },
      answer: ({ taskId }) => (taskId === 'd' ? 'failed' : 'done'),
    });
    expect(patient.failures.map(({ taskId }) => taskId)).toEqual(['d', 'd', 'd', 'd']);
  });

  test('a process that ends is started again; what it had answered is kept', () => {
    let ended = false;
    const { kept, starts, failures } = play({
      plan: planOf(letters, 2, 8),
      answer({ taskId }) {
        if (taskId !== 'e' || ended) return 'done';
        ended = true;
        return 'died';
      },
    });
    expect([...kept].sort()).toEqual(all(2));
    expect(starts).toBe(2);
    expect(failures).toEqual([{ stage: 'process', message: 'process 1: killed' }]);
  });

  test('a process that says nothing is ended after the time without a sign of life, and started again', () => {
    let silent = 0;
    const { kept, failures, now } = play({
      plan: planOf(['a', 'b', 'c'], 1, 3),
      answer: ({ taskId }) => (taskId === 'b' && silent++ === 0 ? 'silent' : 'done'),
      policy: { stallTimeout: 30 },
    });
    expect(kept).toEqual(['a/0', 'b/0', 'c/0']);
    expect(failures.map(({ message }) => message)).toEqual([
      'process 1: the process gave no sign of life for 30 s and was ended',
    ]);
    // start, load, a; then silence; then start, load, b, c
    expect(now).toBe(3 + 30 + 4);
  });

  test('a process that cannot be kept alive is given up, and the other does its work', () => {
    const { kept, failures } = play({
      plan: planOf(letters, 4),
      slots: 2,
      open: (slot) => (slot === 'process 2' ? 'died' : 'done'),
    });
    expect(kept).toHaveLength(40);
    expect(failures.at(-1)!.message).toBe(
      'process 2 ended 8 times in a row without an answer and is given up',
    );
  });

  test('when no process can be kept alive it ends all the same', () => {
    const { kept, failures, state } = play({ plan: planOf(letters, 4), slots: 2, open: () => 'failed' });
    expect(kept).toEqual([]);
    expect(failures.filter(({ message }) => message.includes('given up'))).toHaveLength(2);
    expect(state.reason).toBe('given up');
  });

  test('an adapter that cannot be loaded, or gives no answers, makes way for the next', () => {
    const groups = [{ taskIds: letters, adapters: ['unreadable', 'nan', 'good', null] }];
    const { kept, failures, loads } = play({
      plan: planOf(letters, 3, 2, groups),
      load: (adapter) => (adapter === 'unreadable' ? 'failed' : 'done'),
      answer: (_, adapter) => (adapter === 'nan' ? 'failed' : 'done'),
    });
    expect([...kept].sort()).toEqual(all(3));
    expect(loads).toEqual(['unreadable', 'nan', 'good']);
    expect(failures.map(({ stage }) => stage)).toEqual(['model', 'model']);
  });

  test('what another process still asks an adapter that was given up is for the next one', () => {
    const groups = [{ taskIds: letters, adapters: ['nan', 'good'] }];
    const { kept, failures } = play({
      plan: planOf(letters, 2, 1, groups),
      slots: 2,
      answer: (_, adapter) => (adapter === 'nan' ? 'failed' : 'done'),
    });
    expect([...kept].sort()).toEqual(all(2));
    expect(failures.map(({ stage }) => stage)).toEqual(['model']);
  });

  test('a process that ends now and then, with answers in between, is started as often as it takes', () => {
    let asked = 0;
    const { kept, starts, state } = play({
      plan: planOf(letters, 6, 5),
      policy: { maxProcessFailures: 2 },
      answer: () => (++asked % 4 === 0 ? 'died' : 'done'),
    });
    expect(starts).toBeGreaterThan(8);
    expect(kept.length).toBeGreaterThan(40);
    expect(state.reason).toBe('done');
  });

  test('groups have their own adapters, and none is changed more often than once a round', () => {
    const groups = [
      { taskIds: letters.slice(0, 5), adapters: ['first'] },
      { taskIds: letters.slice(5), adapters: ['second'] },
    ];
    const { kept, loads, asked } = play({ plan: planOf(letters, 4, 1, groups) });
    expect(kept).toHaveLength(40);
    expect(loads.length).toBeLessThanOrEqual(5);
    for (const { items, adapter } of asked) {
      for (const item of items) expect(adapter).toBe(item < 'f' ? 'first' : 'second');
    }
  });

  test('the deadline ends it to the second, also while a process starts, loads or blocks', () => {
    const silent: Partial<World>[] = [
      { open: () => 'silent' },
      { load: () => 'silent' },
      { answer: () => 'silent' },
      { policy: { tuningSeconds: 40 }, tune: () => 'silent' },
      { answer: () => 'done' },
    ];
    for (const world of silent) {
      const { now, state } = play({
        plan: planOf(letters, 100),
        ...world,
        policy: { ...world.policy, deadline: 25.5 },
      });
      expect([now, state.reason]).toEqual([25.5, 'deadline']);
    }
  });
});

describe('groups are fine-tuned first', () => {
  const groups = ['a', 'b', 'c'].map((id) => ({ taskIds: [id], adapters: [null] }));
  const plan = planOf(['a', 'b', 'c'], 2, 2, groups);
  const tuning = { tuningSeconds: Number.POSITIVE_INFINITY, tuningGrace: Number.POSITIVE_INFINITY };

  test('each by a process of its own, and predicted with its adapter', () => {
    const { asked, starts } = play({ plan, slots: 2, policy: tuning });
    expect(starts).toBe(3 + 2);
    for (const { items, adapter } of asked) expect(adapter).toBe(`tuned-${'abc'.indexOf(items[0]![0]!)}`);
  });

  test('one that fails goes on with its newest checkpoint, or with the model that it had', () => {
    const { failures, asked } = play({
      plan,
      policy: tuning,
      tune: (group) => (['failed', 'died', 'done'] as const)[group]!,
      checkpoint: (group) => (group === 0 ? 'checkpoint-7' : null),
    });
    expect(failures).toEqual([
      { stage: 'fine-tune', message: 'no' },
      { stage: 'fine-tune', message: 'killed' },
    ]);
    const adapterOf = Object.fromEntries(asked.map(({ items, adapter }) => [items[0]![0], adapter]));
    expect(adapterOf).toEqual({ a: 'checkpoint-7', b: null, c: 'tuned-2' });
  });

  test('one that does not end in its share of the time is ended', () => {
    const { failures, state } = play({
      plan,
      slots: 2,
      policy: { tuningSeconds: 40, tuningGrace: 10, stallTimeout: 1000 },
      tune: (group) => (group === 1 ? 'silent' : 'done'),
    });
    // three groups in two turns
    expect(failures).toEqual([{ stage: 'fine-tune', message: 'it had not ended 30 s after its start' }]);
    expect(state.reason).toBe('done');
  });

  test('a device that cannot begin takes no group from another', () => {
    const { failures, asked } = play({
      plan,
      slots: 2,
      policy: tuning,
      open: (slot) => (slot === 'process 1' ? 'died' : 'done'),
    });
    expect(failures.filter(({ stage }) => stage === 'fine-tune')).toHaveLength(1);
    expect(new Set(asked.map(({ adapter }) => adapter))).toEqual(new Set([null, 'tuned-1', 'tuned-2']));
  });
});

describe('each task is fine-tuned on by itself', () => {
  const plan = taskPlanOf(['b', 'a', 'c'], 6, 2);

  test('the cheapest first; every task has its first answers before any has more', () => {
    const { asked, adapted, loads, kept } = play({ plan });
    expect(adapted.slice(0, 3).map(({ taskId, keep }) => [taskId, keep])).toEqual([
      ['a', true],
      ['b', true],
      ['c', true],
    ]);
    expect(asked.slice(0, 3).map(({ items }) => items)).toEqual([
      ['a/0', 'a/1'],
      ['b/0', 'b/1'],
      ['c/0', 'c/1'],
    ]);
    // the model is loaded once, and no adapter is kept for a turn that does not come
    expect(loads).toEqual([null]);
    expect(adapted.at(-1)!.keep).toBe(false);
    expect(kept).toHaveLength(18);
  });

  test('later turns go to the task whose best candidate has the smallest share of the votes', () => {
    const grid = ({ taskId, i }: { taskId: string; i: number }) => [[taskId === 'b' ? i : 1]];
    const equal = { ...plan, chunks: plan.chunks.map((c) => ({ ...c, tokens: plan.chunks[0]!.tokens })) };
    const { asked } = play({ plan: equal, grid });
    expect(asked[3]!.items).toEqual(['b/2', 'b/3']);
  });

  test('with as many processes as one likes, the same is asked together', () => {
    const chunks = (slots: number) =>
      play({ plan, slots })
        .asked.map(({ items }) => items.join())
        .sort();
    expect(chunks(2)).toEqual(chunks(1));
    expect(chunks(4)).toEqual(chunks(1));
  });

  test('a task that cannot be learnt is predicted without; one that ends its process once is learnt again', () => {
    let deaths = 0;
    const { kept, adapted, failures } = play({
      plan,
      adapt: (taskId) => (taskId === 'b' ? 'failed' : taskId === 'c' && deaths++ === 0 ? 'died' : 'done'),
    });
    expect(kept).toHaveLength(18);
    expect(failures).toEqual([
      { stage: 'fine-tune', message: 'task b is predicted without: no' },
      { stage: 'process', message: 'process 1: killed' },
    ]);
    const secondsOf = (id: string) =>
      adapted.filter(({ taskId }) => taskId === id).map(({ seconds }) => seconds);
    expect(secondsOf('b').slice(0, 2)).toEqual([Number.POSITIVE_INFINITY, 0]);
    expect(secondsOf('c').every((seconds) => seconds === Number.POSITIVE_INFINITY)).toBe(true);
  });

  test('a task for which not even the model as it was can be had is given up, and the others go on', () => {
    const { kept, adapted, state } = play({
      plan,
      adapt: (taskId) => (taskId === 'b' ? 'failed' : 'done'),
      reset: (taskId) => (taskId === 'b' ? 'failed' : 'done'),
    });
    expect(state.reason).toBe('done');
    expect(kept.filter((name) => !name.startsWith('b'))).toHaveLength(12);
    expect(kept).toHaveLength(12);
    // once with time, and then once without for each request that was halved
    expect(adapted.filter(({ taskId }) => taskId === 'b').length).toBeLessThan(20);
  });

  test('an adapter that gives no answers makes way for the next, which every task is learnt from again', () => {
    const { kept, loads } = play({
      plan: taskPlanOf(['a', 'b', 'c'], 3, 2, ['nan', null]),
      answer: (_, adapter) => (adapter === 'nan' ? 'failed' : 'done'),
    });
    expect(loads).toEqual(['nan', null]);
    expect(kept).toHaveLength(9);
  });

  test('where time is short, each task learns for an equal share of what is left, and none has more than its limit', () => {
    const world = { plan, adaptSeconds: () => 1000, seconds: () => 0.01 };
    const { adapted, state } = play({ ...world, policy: { deadline: 100 } });
    // half of the time: a third of it, half of the rest, the rest; the process has begun and loaded by then
    expect(adapted.slice(0, 3).map(({ seconds }) => seconds)).toEqual([
      expect.closeTo(50 / 3, 1),
      expect.closeTo((100 - 50 / 3) / 4, 1),
      expect.closeTo((100 - 50 / 3 - (100 - 50 / 3) / 4) / 2, 1),
    ]);
    expect(state.reason).toBe('done');
    const limited = play({ ...world, policy: { deadline: 100, taskTimeLimit: 5 } });
    expect(limited.adapted.slice(0, 3).map(({ seconds }) => seconds)).toEqual([5, 5, 5]);
  });
});

test('five hundred random worlds: it ends, keeps every answer, and gives nothing to the dead', () => {
  const reasons = new Set<string>();
  for (let seed = 0; seed < 500; seed++) {
    const rng = Rng.of(seed, 'worlds');
    const pick = <T>(list: readonly T[]) => list[rng.int(0, list.length - 1)]!;
    const tasks = letters.slice(0, 1 + rng.int(0, 5));
    const groupCount = Math.min(tasks.length, 1 + rng.int(0, 2));
    const groups = Array.from({ length: groupCount }, (_, group) => ({
      taskIds: tasks.filter((_, i) => i % groupCount === group),
      adapters: pick([[null], ['given', null]]),
    }));
    const trouble = pick([0, 0.02, 0.1, 0.5]);
    const fate = (): Fate => (rng.uniform() < trouble ? pick(['failed', 'died', 'silent'] as const) : 'done');
    const count = 1 + rng.int(0, 3);
    const deadline = pick([Number.POSITIVE_INFINITY, 5 + 200 * rng.uniform()]);
    const stopAt = rng.uniform() < 0.1 ? 100 * rng.uniform() : undefined;
    const size = 1 + rng.int(0, 5);
    const byTask = rng.chance(0.4);
    const { state, kept, tooLong, failures } = play({
      plan: byTask ? taskPlanOf(tasks, count, size, groups[0]!.adapters) : planOf(tasks, count, size, groups),
      slots: 1 + rng.int(0, 2),
      // some answers come after their process was ended for its silence
      seconds: () => (trouble > 0 && rng.chance(0.03) ? 60 : 2) * rng.uniform(),
      policy: {
        ...{ deadline, stallTimeout: 5 + rng.int(0, 20), writeInterval: 1 + rng.int(0, 10) },
        maxProcessFailures: 1 + rng.int(0, 8),
        tuningSeconds: byTask ? 0 : pick([0, 30, deadline]),
        taskTimeLimit: pick([10, Number.POSITIVE_INFINITY]),
      },
      open: fate,
      load: fate,
      tune: fate,
      adapt: fate,
      answer: () => (rng.uniform() < 0.05 ? 'too long' : fate()),
      checkpoint: () => pick([null, 'checkpoint']),
      ...(stopAt === undefined ? {} : { stopAt }),
    });
    reasons.add(state.reason!);
    expect(new Set(kept).size).toBe(kept.length);
    if (state.reason !== 'done') continue;
    // nothing is forgotten: what has no answer has a reason
    const explained = new Set([
      ...failures.map(({ taskId }) => taskId),
      ...tooLong.map((name) => name.split('/')[0]),
    ]);
    const isModelLeft = (id: string) =>
      state.groups.some(({ taskIds, adapters }) => taskIds.includes(id) && adapters.length > 0);
    for (const id of tasks) {
      const answers = kept.filter((name) => name.startsWith(`${id}/`)).length;
      if (answers < count && isModelLeft(id)) expect(explained).toContain(id);
    }
    if (trouble === 0) expect(failures).toEqual([]);
  }
  expect(reasons).toEqual(new Set(['done', 'given up', 'deadline', 'stopped']));
});
