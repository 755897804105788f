/** @file The candidates that training prompts have judged. A Kaggle notebook has a stand-in for it. */
import { gridsEqual } from '../arc/grid.js';
import { wrongOutputs } from '../arc/perturb.js';
import type { Task } from '../arc/types.js';
import type { Rng } from '../common/rng.js';
import type { PromptTask } from '../prompts/prompt-kind.js';
import { candidatesOf } from '../prompts/prompt-tasks.js';

/** How many candidates a prompt shows that asks for one of several. */
const CHOICES = 2;

/**
 * The task with the candidates that a prompt shows of a test sample, where it judges candidates: the output and wrong
 * ones, of those that the data set has or else outputs with a mistake. Half of those that are judged alone are right.
 */
export function withCandidates(task: Task, testIndex: number, asksFor: PromptTask, rng: Rng): Task {
  const shown = candidatesOf(asksFor);
  const sample = task.test[testIndex]!;
  const { output } = sample;
  if (!shown || !output) return task;
  const wanted = shown === 'one' ? 1 : CHOICES - 1;
  const known = rng.sample(
    (sample.candidates ?? []).filter((grid) => !gridsEqual(grid, output)),
    wanted,
  );
  const wrong = [...known, ...wrongOutputs(output, task, wanted - known.length, rng)];
  const isRight = rng.chance(0.5);
  const candidates = shown === 'one' ? [isRight ? output : wrong[0]!] : rng.shuffle([output, ...wrong]);
  return { ...task, test: task.test.with(testIndex, { ...sample, candidates }) };
}
