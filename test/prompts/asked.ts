import type { Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import type { PromptKind } from '../../src/prompts/index.js';
import { withCandidates } from '../../src/training/candidates.js';

/** A task with what prompts of a kind show or ask for beside its grids: code, and candidates for known outputs. */
export function asked({ task: asksFor }: PromptKind, task: Task): Task {
  const judged = task.test.reduce(
    (result: Task, _, i) => withCandidates(result, i, asksFor, Rng.of(i)),
    task,
  );
  return { ...judged, code: 'def solve(grid):\n    return [row[::-1] for row in grid]' };
}
