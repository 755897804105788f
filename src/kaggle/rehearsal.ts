/** A copy of Kaggle's folders with everything that a notebook needs to run, and nothing else. */
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { loadTasks, solutionsPath } from '../arc/dataset.js';
import { packageRoot } from '../common/files.js';
import { Rng } from '../common/rng.js';
import { KaggleError } from './errors.js';
import { CHALLENGES_FILE } from './render.js';

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

/** What is rehearsed with; every part has a small stand-in. */
export interface StageOptions {
  /** Simulates the rerun on the real challenges, in which no error may end the notebook. */
  readonly rerun?: boolean;
  /** A file of challenges; solutions beside it are there in a draft. */
  readonly challenges?: string;
  /** The folder of a model. */
  readonly model?: string;
  /** The folder of a PEFT adapter. */
  readonly adapter?: string;
  /** Instead of the configured time (default: enough for the small model, also on a busy machine). */
  readonly timeBudget?: string;
}

/** Instead of the configured time. */
const TIME_BUDGET = '40s';

interface Challenges {
  /** What the notebook is to solve, as a competition's file has it. */
  readonly tasks: Record<string, object>;
  readonly solutions: Record<string, object>;
}

/** Small tasks of one rule (the columns in reverse order); the last has two test inputs. */
function syntheticChallenges(count: number): Challenges {
  const rng = Rng.of(7, 'rehearsal');
  const grid = () => {
    const width = rng.int(2, 4);
    return Array.from({ length: rng.int(2, 4) }, () => Array.from({ length: width }, () => rng.int(0, 9)));
  };
  const sample = () => {
    const input = grid();
    return { input, output: input.map((row) => row.toReversed()) };
  };
  const entries = Array.from({ length: count }, (_, i) => {
    const id = rng.int(0x10000000, 0x7fffffff).toString(16);
    const train = Array.from({ length: 3 }, sample);
    const test = Array.from({ length: i === count - 1 ? 2 : 1 }, sample);
    return { id, task: { train, test: test.map(({ input }) => ({ input })) }, test };
  });
  return {
    tasks: Object.fromEntries(entries.map(({ id, task }) => [id, task])),
    solutions: Object.fromEntries(entries.map(({ id, test }) => [id, test.map(({ output }) => output)])),
  };
}

/** Writes the competition's files: the challenges, and as a draft has them, the same with published solutions. */
function writeCompetition(folder: string, { challenges, rerun }: StageOptions): void {
  const published = 'arc-agi_evaluation_challenges.json';
  if (challenges === undefined) {
    const { tasks, solutions } = syntheticChallenges(TASKS);
    writeFileSync(join(folder, CHALLENGES_FILE), JSON.stringify(tasks));
    if (rerun) return;
    writeFileSync(join(folder, published), JSON.stringify(tasks));
    writeFileSync(solutionsPath(join(folder, published))!, JSON.stringify(solutions));
    return;
  }
  // says now what is wrong with it
  loadTasks(challenges);
  cpSync(challenges, join(folder, CHALLENGES_FILE));
  const beside = solutionsPath(challenges);
  if (rerun || beside === null || !existsSync(beside)) return;
  cpSync(challenges, join(folder, published));
  cpSync(beside, solutionsPath(join(folder, published))!);
}

/** Attaches a folder as a data set: as a link, for weights are large. @throws {KaggleError} when it is none */
function attach(folder: string, target: string, marker: string): void {
  if (!existsSync(join(folder, marker))) throw new KaggleError(`${folder}: expected a folder with ${marker}`);
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(resolve(folder), target);
}

/** Lays out the competition's data, the model as an attached data set, and an empty working folder. */
export function setStage(
  folder: string,
  notebook: string,
  competition: string,
  options: StageOptions = {},
): Stage {
  const root = join(folder, 'kaggle');
  const working = join(root, 'working');
  const challenges = join(root, 'input/competitions', competition, CHALLENGES_FILE);
  for (const path of [working, dirname(challenges), join(folder, 'home'), join(folder, 'tmp')])
    mkdirSync(path, { recursive: true });
  writeCompetition(dirname(challenges), options);
  const model = join(root, 'input/datasets/someone/small-model');
  if (options.model === undefined)
    cpSync(join(packageRoot(), 'assets/base-model'), model, { recursive: true });
  else attach(options.model, model, 'config.json');
  if (options.adapter !== undefined)
    attach(options.adapter, join(root, 'input/datasets/someone/adapter'), 'adapter_config.json');
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
      ARCLAB_TIME_BUDGET: options.timeBudget ?? TIME_BUDGET,
      ...(options.rerun ? { KAGGLE_IS_COMPETITION_RERUN: '1' } : {}),
    },
  };
}
