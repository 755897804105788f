/** A copy of Kaggle's folders with everything that a notebook needs to run, and nothing else. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from '../common/files.js';
import { Rng } from '../common/rng.js';

/** The folders of a rehearsal. */
export interface Stage {
  /** What is `/kaggle` on Kaggle. */
  readonly root: string;
  /** The current folder of the notebook, where it leaves its submission. */
  readonly working: string;
  readonly challenges: string;
  /** The folder of the attached model. */
  readonly model: string;
  readonly submission: string;
  /** The copy of the notebook that is run. */
  readonly notebook: string;
  /** Everything the kernel's process can read of its surroundings. */
  readonly environment: Record<string, string>;
}

const TASKS = 3;
/** Instead of the configured time: enough for the small model, also on a busy machine. */
const TIME_BUDGET = '40s';

/** Small tasks of one rule (the columns in reverse order); the last has two test inputs. */
function syntheticChallenges(count: number): Record<string, object> {
  const rng = Rng.of(7, 'rehearsal');
  const grid = () => {
    const width = rng.int(2, 4);
    return Array.from({ length: rng.int(2, 4) }, () => Array.from({ length: width }, () => rng.int(0, 9)));
  };
  const sample = () => {
    const input = grid();
    return { input, output: input.map((row) => row.toReversed()) };
  };
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      rng.int(0x10000000, 0x7fffffff).toString(16),
      {
        train: Array.from({ length: 3 }, sample),
        test: Array.from({ length: i === count - 1 ? 2 : 1 }, () => ({ input: grid() })),
      },
    ]),
  );
}

/** Lays out the competition's data, the small base model as an attached data set, and an empty working folder. */
export function setStage(folder: string, notebook: string, competition: string): Stage {
  const root = join(folder, 'kaggle');
  const working = join(root, 'working');
  const challenges = join(root, 'input/competitions', competition, 'arc-agi_test_challenges.json');
  for (const path of [working, dirname(challenges), join(folder, 'home'), join(folder, 'tmp')])
    mkdirSync(path, { recursive: true });
  writeFileSync(challenges, JSON.stringify(syntheticChallenges(TASKS)));
  const model = join(root, 'input/datasets/someone/small-model');
  cpSync(join(packageRoot(), 'assets/base-model'), model, { recursive: true });
  const copy = join(folder, 'notebook.ipynb');
  cpSync(notebook, copy);
  return {
    root,
    working,
    challenges,
    model,
    notebook: copy,
    submission: join(working, 'submission.json'),
    environment: {
      PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
      HOME: join(folder, 'home'),
      TMPDIR: join(folder, 'tmp'),
      LANG: 'C.UTF-8',
      ARCLAB_KAGGLE_ROOT: root,
      ARCLAB_TIME_BUDGET: TIME_BUDGET,
    },
  };
}
