/** What a submission makes of a time that does not suffice, on 240 tasks whose cost varies by 50, with a played clock. */
import { expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import type { Chunk, Plan } from '../../src/submit/plan.js';
import type { Item } from '../../src/submit/protocol.js';
import {
  bestShare,
  measure,
  newMarket,
  predictedSeconds,
  tuningLimit,
  withVotes,
  worthOf,
} from '../../src/submit/schedule.js';
import { key, play, type World } from './world.js';

const TASKS = 240;
const PREDICTIONS = 32;
const BATCH = 8;
const PROCESSES = 4;

/** A task of the played contest: what it costs, and how often a model that has learnt it is right. */
interface Played {
  readonly id: string;
  /** Seconds of all steps, and of one prediction. */
  readonly tune: number;
  readonly predict: number;
  readonly skill: number;
}

function contest(seed: number): Played[] {
  const rng = Rng.of(seed, 'contest');
  const lengths = Array.from({ length: TASKS }, (_, i) => 50 ** (i / (TASKS - 1)));
  return rng.shuffle(lengths).map((length, i) => {
    // half of the tasks are hopeless, as they are in the contests
    const skill = rng.chance(0.5) ? 0.02 * rng.uniform() : rng.uniform();
    return { id: `t${i}`, tune: 10 * length, predict: 0.15 * length, skill };
  });
}

/** The answers of a model: right as often as it has learnt, else one of a few mistakes, the first of which is common. */
function answers(tasks: ReadonlyMap<string, Played>, seed: number) {
  const given = new Map<string, number>();
  const grid = (item: Item, part: number) => {
    const rng = Rng.of(seed, 'answer', item.taskId, item.i);
    const isRight = rng.chance(tasks.get(item.taskId)!.skill * (0.3 + 0.7 * Math.min(1, part)));
    const answer = isRight ? 0 : 1 + Math.floor(6 * rng.uniform() ** 2);
    given.set(key(item), answer);
    return [[answer]];
  };
  return { given, grid };
}

/** The part of tasks with an answer, and of those solved by one of the two most frequent. */
function outcome(kept: readonly string[], given: ReadonlyMap<string, number>) {
  const votes = new Map<string, number[]>();
  for (const name of kept) {
    const id = name.split('/')[0]!;
    const counts = votes.get(id) ?? new Array<number>(8).fill(0);
    counts[given.get(name)!]! += 1;
    votes.set(id, counts);
  }
  const isSolved = (counts: number[]) => counts[0]! > 0 && counts.filter((n) => n > counts[0]!).length < 2;
  return { covered: votes.size / TASKS, solved: [...votes.values()].filter(isSolved).length / TASKS };
}

const itemsOf = ({ id, predict }: Played, from: number, count: number) =>
  Array.from({ length: count }, (_, k) => ({ taskId: id, testIndex: 0, i: from + k, cost: predict }));

/** Every task by itself, as `planSubmission` cuts it. */
function byTask(tasks: readonly Played[]): Plan {
  const chunks = tasks.flatMap((task) =>
    Array.from({ length: PREDICTIONS / BATCH }, (_, turn): Chunk => {
      // what is predicted is wrong by the same factor for all
      const tokens = { tune: task.tune / 3, prompt: (BATCH * task.predict) / 3, answer: 0 };
      return { group: 0, taskId: task.id, turn, items: itemsOf(task, turn * BATCH, BATCH), tokens };
    }),
  );
  chunks.sort((a, b) => a.turn - b.turn || a.tokens.tune - b.tokens.tune);
  const groups = [{ taskIds: tasks.map(({ id }) => id), adapters: [null] }];
  return planWith(groups, chunks);
}

/** A group for each task with an equal share of the time, as it was done before. */
function byGroup(tasks: readonly Played[]): Plan {
  const tokens = { tune: 0, prompt: 0, answer: 0 };
  const chunks = tasks.map((task, group) => ({
    group,
    turn: 0,
    items: itemsOf(task, 0, PREDICTIONS),
    tokens,
  }));
  chunks.sort((a, b) => a.items[0]!.cost - b.items[0]!.cost);
  return planWith(
    tasks.map(({ id }) => ({ taskIds: [id], adapters: [null] })),
    chunks,
  );
}

const planWith = (groups: Plan['groups'], chunks: Plan['chunks']): Plan => ({
  ...{ groups, chunks, inputs: TASKS, items: TASKS * PREDICTIONS, withoutView: 0 },
  speeds: { tune: 1, prompt: 1, answer: 1 },
});

test('more tasks have an answer, and more are solved, than with equal shares', () => {
  const rows: Record<string, string | number>[] = [];
  const gains: number[] = [];
  for (const hours of [1, 2]) {
    const sums = { equal: { covered: 0, solved: 0 }, cost: { covered: 0, solved: 0 } };
    const seeds = [1];
    for (const seed of seeds) {
      const tasks = contest(seed);
      const known = new Map(tasks.map((task) => [task.id, task]));
      const deadline = hours * 3600;
      const world = (plan: Plan, more: Partial<World>): World => ({
        ...{ plan, slots: PROCESSES, loadSeconds: 20, checksPurity: false, ...more },
        seconds: (item) => (item === undefined ? 2 : known.get(item.taskId)!.predict),
        adaptSeconds: (id) => known.get(id)!.tune,
        tuneSeconds: (group) => tasks[group]!.tune,
      });
      const equal = answers(known, seed);
      const before = play(
        world(byGroup(tasks), {
          policy: { deadline, stallTimeout: deadline, tuningSeconds: deadline / 2 },
          grid: equal.grid,
        }),
      );
      const cost = answers(known, seed);
      const taskTimeLimit = (8 * deadline * PROCESSES) / TASKS;
      const now = play(
        world(byTask(tasks), {
          policy: { deadline, stallTimeout: deadline, taskTimeLimit },
          grid: cost.grid,
        }),
      );
      expect(now.loads.length).toBe(PROCESSES);
      for (const [name, { kept, given }] of [
        ['equal', { ...before, ...equal }],
        ['cost', { ...now, ...cost }],
      ] as const) {
        const { covered, solved } = outcome(kept, given);
        sums[name].covered += covered / seeds.length;
        sums[name].solved += solved / seeds.length;
      }
    }
    const percent = (part: number) => `${(100 * part).toFixed(1)}%`;
    for (const [name, { covered, solved }] of Object.entries(sums)) {
      rows.push({ hours, shares: name, answered: percent(covered), solved: percent(solved) });
    }
    gains.push(sums.cost.solved - sums.equal.solved);
    expect(sums.cost.covered).toBeCloseTo(1, 9);
  }
  console.table(rows);
  for (const gain of gains) expect(gain).toBeGreaterThan(0);
});

const chunk = (taskId: string, turn: number, cost: number, count = 1): Chunk => ({
  ...{ group: 0, taskId, turn, tokens: { tune: cost, prompt: cost, answer: 0 } },
  items: Array.from({ length: count }, (_, i) => ({ taskId, testIndex: 0, i, cost })),
});

test('a cost is tokens by speeds, corrected by what was measured', () => {
  const market = newMarket({ tune: 10, prompt: 100, answer: 1 });
  const work = { tokens: { tune: 50, prompt: 200, answer: 3 } };
  expect(predictedSeconds(market, work)).toEqual({ tune: 5, predict: 5 });
  // half of the steps took 10 s instead of 2.5
  const measured = measure(market, 'tune', work, 0.5, 10);
  expect(predictedSeconds({ ...market, measured }, work)).toEqual({ tune: 20, predict: 5 });
});

test('a turn is worth the votes that are open, for each second, less from turn to turn', () => {
  const answer = (color: number | null) => ({
    taskId: 'a',
    testIndex: 0,
    grid: color === null ? null : [[color]],
  });
  let { votes } = newMarket({ tune: 1, prompt: 1, answer: 1 });
  const item = { taskId: 'a', testIndex: 0, i: 0 };
  expect(bestShare(votes, item)).toBe(0);
  const add = (color: number | null, logProb = -1) => {
    votes = withVotes(votes, item, { predictions: [{ ...answer(color), logProb } as never] });
  };
  for (const color of [1, 1, 2, null]) add(color);
  expect(bestShare(votes, item)).toBe(0.5);
  const market = { ...newMarket({ tune: 1, prompt: 1, answer: 1 }), votes };
  expect(worthOf(market, chunk('a', 1, 10))).toBeCloseTo(0.5 / 10);
  expect(worthOf(market, chunk('a', 2, 10))).toBeCloseTo(0.5 / 20);
  expect(worthOf(market, chunk('b', 1, 10))).toBeCloseTo(1 / 10);
});

test('a search is worth what the likeliest answer leaves open', () => {
  const search = (taskId: string): Chunk => ({
    ...{ group: 0, taskId, turn: 1, tokens: { tune: 0, prompt: 10, answer: 0 } },
    items: [{ taskId, testIndex: 0, i: 1, cost: 1, views: 8 }],
  });
  const market = newMarket({ tune: 1, prompt: 1, answer: 1 });
  const say = (votes: typeof market.votes, taskId: string, part: number, grid: number[][] | null) =>
    withVotes(
      votes,
      { taskId, testIndex: 0, i: 0 },
      {
        predictions: [{ taskId, testIndex: 0, grid, logProb: Math.log(part) } as never],
      },
    );
  let { votes } = market;
  votes = say(votes, 'sure', 0.9, [[1]]);
  votes = say(votes, 'unsure', 0.3, [[1]]);
  votes = say(votes, 'nothing', 0.9, null);
  const worth = (taskId: string) => worthOf({ ...market, votes }, search(taskId));
  expect(worth('sure')).toBeCloseTo(0.1 / 10);
  expect(worth('unsure')).toBeCloseTo(0.7 / 10);
  expect(worth('nothing')).toBeCloseTo(1 / 10);
  expect(worth('never asked')).toBeCloseTo(1 / 10);
  // several predictions that do not agree settle less than the likeliest of them says
  votes = say(say(votes, 'sure', 0.1, [[2]]), 'sure', 0.1, [[3]]);
  expect(worth('sure')).toBeCloseTo(2 / 3 / 10);
});

test('a task learns for an equal share of the time of those that wait, up to its limit', () => {
  const market = newMarket({ tune: 1, prompt: 1, answer: 1 });
  const waiting = ['b', 'c', 'd'].flatMap((id) => [chunk(id, 0, 30), chunk(id, 1, 30)]);
  const left = { seconds: 100, processes: 2, tuningShare: 0.5, taskTimeLimit: 1000 };
  expect(tuningLimit(market, chunk('a', 0, 10), waiting, left)).toBe(25);
  // the last one has one process
  expect(tuningLimit(market, chunk('a', 0, 10), [], left)).toBe(50);
  expect(tuningLimit(market, chunk('a', 0, 10), waiting, { ...left, taskTimeLimit: 7 })).toBe(7);
  const spent = { ...market, spent: { a: 9 } };
  expect(tuningLimit(spent, chunk('a', 0, 10), waiting, { ...left, taskTimeLimit: 7 })).toBe(0);
  const endless = { ...left, seconds: Number.POSITIVE_INFINITY, taskTimeLimit: Number.POSITIVE_INFINITY };
  expect(tuningLimit(market, chunk('a', 0, 10), waiting, endless)).toBe(Number.POSITIVE_INFINITY);
});
