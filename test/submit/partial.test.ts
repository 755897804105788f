import { describe, expect, test } from 'vitest';
import type { Prediction } from '../../src/evaluation/types.js';
import { type Entry, progressOf } from '../../src/submit/partial.js';
import type { Answer } from '../../src/submit/protocol.js';
import { key, planOf, play, withSearches } from './world.js';

const plan = planOf([...'abcde'], 4, 3);
const itemOf = new Map(plan.chunks.flatMap(({ items }) => items.map((item) => [key(item), item] as const)));
const answer = (name: string, seconds: number): Entry => {
  const { taskId, testIndex, i } = itemOf.get(name)!;
  const prediction = { taskId, testIndex, grid: [[1]], logProb: -1, tokens: 3 } as unknown as Prediction;
  return { seconds, type: 'answer', item: { taskId, testIndex, i }, answer: { predictions: [prediction] } };
};

describe('a submission that was killed after any answer', () => {
  const whole = play({ plan, slots: 2 });
  const entries = whole.kept.map(answer);

  test.each(entries.map((_, count) => [count]))('%d answers', (count) => {
    const before = progressOf(entries.slice(0, count), plan, 0);
    expect(before.answers).toHaveLength(count);
    const { kept, asked } = play({ plan, before });
    // nothing that is whole is asked again, and what is asked is asked in the same company
    const chunks = plan.chunks.filter((chunk) => !before.finished.has(chunk));
    expect(asked.map(({ items }) => items)).toEqual(chunks.map(({ items }) => items.map(key)));
    const all = new Set([...before.answers.map(({ item }) => key(item)), ...kept]);
    expect(all.size).toBe(20);
  });
});

test('time, adapters and failures are taken over, and answers to what is no longer planned are not', () => {
  const entries: Entry[] = [
    { seconds: 0, type: 'start', date: 5000 },
    { seconds: 3, type: 'tuned', group: 0, adapter: 'fine-tuning/checkpoint-4' },
    { seconds: 4, type: 'failure', failure: { stage: 'process', message: 'killed' } },
    answer('a/0', 7),
    {
      seconds: 8,
      type: 'answer',
      item: { taskId: 'z', testIndex: 0, i: 0 },
      answer: null,
    },
    { seconds: 9, type: 'start', date: 9000 },
    { seconds: 12.5, type: 'time' },
  ];
  const progress = progressOf(entries, plan, 10_000);
  expect(progress).toMatchObject({ seconds: 12.5, date: 5000, failures: [{ message: 'killed' }] });
  expect([...progress.tuned]).toEqual([[0, 'fine-tuning/checkpoint-4']]);
  expect(progress.answers.map(({ item }) => key(item))).toEqual(['a/0']);
});

test('a search is made again where a prediction for its test input was lost', () => {
  const searched = withSearches(planOf(['a', 'b'], 2, 1));
  const entries: Entry[] = ['a/0', 'a/1', 'b/0', 'a/2', 'b/2'].map((name, k) => {
    const [taskId, i] = [name[0]!, Number(name[2])];
    return { seconds: k, type: 'answer', item: { taskId, testIndex: 0, i }, answer: { predictions: [] } };
  });
  const before = progressOf(entries, searched, 0);
  expect(before.answers.map(({ item }) => key(item))).toEqual(['a/0', 'a/1', 'b/0', 'a/2']);
  expect(play({ plan: searched, before }).kept).toEqual(['b/1', 'b/2']);
});

test('an infinite log-probability survives JSON, and a prompt that is too long counts with its company', () => {
  const infinite = answer('a/0', 1) as Extract<Entry, { type: 'answer' }>;
  const [prediction] = infinite.answer!.predictions;
  const unlikely = { ...prediction!, logProb: Number.NEGATIVE_INFINITY };
  const lost = { ...infinite, answer: { predictions: [unlikely] } };
  const tooLong = { ...(answer('b/0', 2) as typeof infinite), answer: null };
  const logProbOf = ({ answer }: { answer: Answer | null }) => answer?.predictions[0]?.logProb;
  const stored = JSON.parse(JSON.stringify([lost, tooLong])) as Entry[];
  const part = progressOf(stored, plan, 0);
  expect(part.answers.map(logProbOf)).toEqual([Number.NEGATIVE_INFINITY]);
  const all = progressOf([...stored, answer('c/0', 3)], plan, 0);
  expect(all.finished.size).toBe(1);
  expect(all.answers.map(logProbOf)).toEqual([Number.NEGATIVE_INFINITY, undefined, -1]);
});
