import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { identityAugmentation } from '../../src/arc/augmentation.js';
import type { Grid } from '../../src/arc/types.js';
import { predictionLines } from '../../src/evaluation/files.js';
import { reviewSubmission } from '../../src/submit/review.js';

const train = [{ input: [[1]], output: [[2]] }];
const task = (...inputs: Grid[]) => ({ train, test: inputs.map((input) => ({ input })) });
const challenges = { a: task([[3]]), b: task([[4]], [[5]]), c: task([[6]]) };

/** A prediction of one cell. */
const says = (taskId: string, testIndex: number, cell: number, logProb: number) => ({
  taskId,
  testIndex,
  grid: [[cell]],
  logProb,
  tokens: 1,
  augmentation: identityAugmentation,
});

function review(published: object, solutions: object, predictions: ReturnType<typeof says>[]) {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-review-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = (name: string) => join(folder, name);
  writeFileSync(file('arc-agi_test_challenges.json'), JSON.stringify(challenges));
  writeFileSync(file('arc-agi_evaluation_challenges.json'), JSON.stringify(published));
  writeFileSync(file('arc-agi_evaluation_solutions.json'), JSON.stringify(solutions));
  writeFileSync(file('submission_task_results.json'), predictionLines(predictions));
  return reviewSubmission({ challengesPath: file('arc-agi_test_challenges.json'), outputDir: folder });
}

describe('a submission is reviewed', () => {
  const predictions = [
    // one vote for the solution, two for others: found, but by no rule among the first two attempts
    ...[
      says('a', 0, 1, -1),
      says('a', 0, 1, -1),
      says('a', 0, 2, -1),
      says('a', 0, 2, -1),
      says('a', 0, 9, -5),
    ],
    // as many votes, and the log-probability knows better
    ...[says('b', 0, 1, -3), says('b', 0, 8, -1), says('b', 1, 1, -2), says('b', 1, 7, -2)],
    says('c', 0, 0, -1),
  ];

  it('with the score of each rule, where the placeholder repeats published tasks', () => {
    const published = { a: challenges.a, b: challenges.b, z: task([[0]]) };
    const solutions = { a: [[[9]]], b: [[[8]], [[7]]], z: [[[0]]] };
    const { cards, known, scores, found } = review(published, solutions, predictions);
    expect(known).toBe(2);
    expect(cards.map(({ title }) => title)).toEqual(['a', 'b', 'c']);
    expect(cards[1]!.predicted[0]).toMatchObject({
      solution: [[8]],
      candidates: [{ grid: [[8]], votes: 1 }, {}],
    });
    expect(cards[2]!.predicted[0]!.solution).toBeUndefined();
    expect(scores).toEqual([
      { rule: 'count', vote_1: 0, vote_2: 0.5 },
      { rule: 'count-logprob', vote_1: 0.25, vote_2: 0.5 },
      // one that generation found likely may have been found once
      { rule: 'own-score', vote_1: 0.25, vote_2: 0.5 },
    ]);
    expect(found).toBe(1);
  });

  it('without scores, where tasks of the same name are others', () => {
    const { known, scores, cards } = review(
      { a: task([[0]]), b: task([[4]]) },
      { a: [[[9]]], b: [[[8]]] },
      predictions,
    );
    expect({ known, scores }).toEqual({ known: 0, scores: [] });
    expect(cards).toHaveLength(3);
  });

  it('when there are no predictions', () => {
    const { cards, scores } = review({ a: challenges.a }, { a: [[[9]]] }, []);
    expect(cards).toEqual([]);
    expect(scores.map(({ vote_2 }) => vote_2)).toEqual([0, 0, 0]);
  });
});
