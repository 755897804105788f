import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readJson, writeFileAtomic } from '../common/files.js';
import { isObject } from '../common/is-object.js';
import type { OrValues } from '../options/in-place.js';
import { DatasetError, MissingSolutionsError } from './errors.js';
import type { Dataset, Sample, Task, TestSample } from './types.js';
import { assertRectangular, type DatasetEntry, validateDataset, validateSolutions } from './validate.js';

const challengesSuffix = /challenges\.json$/;
const solutionsSuffix = /solutions\.json$/;

/** A task of a data set with what names it. */
export interface NamedTask {
  readonly taskId: string;
  /** Which of the id's variants it is, from 0. */
  readonly variant: number;
  readonly task: Task;
}

/** Where Kaggle puts the solutions of a challenges file, or null when the name is of another kind. */
export function solutionsPath(challengesPath: string): string | null {
  if (!challengesSuffix.test(basename(challengesPath))) return null;
  return challengesPath.replace(challengesSuffix, 'solutions.json');
}

/** An ARC file may also be about one task only (fchollet's and RE-ARC's folders); its name is then the id. */
function wrapSingleTask(json: unknown, path: string): unknown {
  // an object of nothing but train samples is a task, not a data set whose only id is "train"
  const isTask =
    isObject(json) && Array.isArray(json.train) && ('test' in json || Object.keys(json).length === 1);
  const single = Array.isArray(json) || isTask;
  return single ? { [basename(path, '.json')]: json } : json;
}

/** The variants of an id, checked for ragged grids. */
function toVariants(id: string, entry: DatasetEntry, path: string): Task[] {
  const check = (where: string, samples: readonly TestSample[]) =>
    samples.forEach((sample, i) => {
      assertRectangular(sample.input, path, () => `${where}/${i}/input`);
      if (sample.output) assertRectangular(sample.output, path, () => `${where}/${i}/output`);
      for (const [j, grid] of (sample.candidates ?? []).entries())
        assertRectangular(grid, path, () => `${where}/${i}/candidates/${j}`);
    });
  if (Array.isArray(entry) && !('train' in entry[0]!)) {
    check(`/${id}`, entry as Sample[]);
    return [{ train: entry as Sample[], test: [] }];
  }
  const variants = (Array.isArray(entry) ? entry : [entry]) as Partial<Task>[];
  return variants.map(({ train = [], test = [], code }, i) => {
    const where = Array.isArray(entry) ? `/${id}/${i}` : `/${id}`;
    check(`${where}/train`, train);
    check(`${where}/test`, test);
    return { train, test, ...(code === undefined ? {} : { code }) };
  });
}

/** The variants of one task, checked. @throws {UserError} naming the source and the path below it */
export function readVariants(id: string, value: unknown, source: string): Task[] {
  return toVariants(id, validateDataset({ [id]: value }, source)[id]!, source);
}

/** What a challenge knows of a test sample. */
const knownOf = ({ input, candidates }: TestSample): TestSample => ({
  input,
  ...(candidates ? { candidates } : {}),
});

/** Gives the test samples of a challenges file their outputs. */
function addSolutions(dataset: Map<string, Task[]>, path: string): void {
  const solutions = validateSolutions(readJson(path, 'a file of ARC solutions'), path);
  for (const [id, grids] of Object.entries(solutions)) {
    const variants = dataset.get(id);
    if (!variants) continue;
    grids.forEach((grid, i) => {
      assertRectangular(grid, path, () => `/${id}/${i}`);
    });
    dataset.set(
      id,
      variants.map(({ test, ...task }) => {
        if (test.length !== grids.length) {
          throw new DatasetError(
            `${path}: at /${id}: expected ${test.length} ${test.length === 1 ? 'solution' : 'solutions'}, one for each test input of the challenges ` +
              `file, found ${grids.length}`,
          );
        }
        return { ...task, test: test.map((sample, i) => ({ ...knownOf(sample), output: grids[i]! })) };
      }),
    );
  }
}

function loadFile(path: string): Map<string, Task[]> {
  const json = wrapSingleTask(readJson(path, 'an ARC data set'), path);
  if (solutionsSuffix.test(basename(path)) && existsSync(path.replace(solutionsSuffix, 'challenges.json'))) {
    throw new DatasetError(
      `${path}: expected an ARC data set, found solutions; give the challenges file beside it instead ` +
        `(${basename(path).replace(solutionsSuffix, 'challenges.json')}), the solutions are then read by themselves`,
    );
  }
  const entries = Object.entries(validateDataset(json, path));
  const dataset = new Map(entries.map(([id, entry]) => [id, toVariants(id, entry, path)]));
  const solutions = solutionsPath(path);
  if (solutions !== null && existsSync(solutions)) addSolutions(dataset, solutions);
  return dataset;
}

/**
 * Loads tasks by id from a JSON file. Knows Kaggle's format (`…challenges.json` takes its outputs from
 * `…solutions.json` beside it), files with the test outputs included, samples without a test set (RE-ARC:
 * id → samples), variants (id → tasks), a file about one task, and a folder of such files.
 * @throws {UserError} naming the file, the path in it, what was found and what was expected.
 */
export function loadDataset(path: string): Dataset {
  if (!existsSync(path) || !statSync(path).isDirectory()) return loadFile(path);
  const files = readdirSync(path).filter((name) => name.endsWith('.json') && !solutionsSuffix.test(name));
  if (files.length === 0)
    throw new DatasetError(`${path}: expected ARC data, found a folder without .json files`);
  const dataset = new Map<string, readonly Task[]>();
  for (const file of files.sort()) {
    for (const [id, variants] of loadFile(join(path, file))) {
      if (dataset.has(id))
        throw new DatasetError(`${join(path, file)}: task ${id} is in another file of ${path} too`);
      dataset.set(id, variants);
    }
  }
  return dataset;
}

/** All variants of all ids, in order. */
export function listTasks(dataset: Dataset): NamedTask[] {
  return [...dataset].flatMap(([taskId, variants]) =>
    variants.map((task, variant) => ({ taskId, variant, task })),
  );
}

/**
 * The one task of each id, for inference and evaluation.
 * @throws {DatasetError} when an id has several variants or a task has no test input.
 */
export function singleTasks(dataset: Dataset, path: string): Map<string, Task> {
  return new Map(
    [...dataset].map(([id, variants]) => {
      if (variants.length !== 1) {
        throw new DatasetError(
          `${path}: expected one task per id, found ${variants.length} variants of ${id}`,
        );
      }
      const [task] = variants;
      if (task!.test.length === 0) {
        throw new DatasetError(`${path}: task ${id} has no test inputs; expected a data set with a test set`);
      }
      return [id, task!];
    }),
  );
}

/** The first n tasks by their order in the file, or all where n is not given. */
export function firstTasks<T>(tasks: ReadonlyMap<string, T>, n?: number): Map<string, T> {
  return new Map([...tasks].slice(0, n));
}

/** The tasks of {@link loadDataset}, of which each id has one variant with test inputs. */
export function loadTasks(path: string): Map<string, Task> {
  return singleTasks(loadDataset(path), path);
}

/** Tasks by id, a data set with one variant of each, or the file of one. */
export type TaskData = string | Dataset | ReadonlyMap<string, Task>;

/** Options of a flow in which `tasks` may stand in place of the file. */
export type OrTasks<O extends { datasetPath?: unknown }> = OrValues<O, 'datasetPath', { tasks: TaskData }>;

/** A data set that is given, or that a file holds. */
export function datasetOf(data: TaskData): Dataset {
  if (typeof data === 'string') return loadDataset(data);
  return new Map([...data].map(([id, item]) => [id, 'train' in item ? [item] : item]));
}

/** The one task of each id, of tasks that are given or that a file holds. */
export function tasksOf(data: TaskData): ReadonlyMap<string, Task> {
  if (typeof data === 'string') return loadTasks(data);
  const [first] = data.values();
  return Array.isArray(first)
    ? singleTasks(data as Dataset, 'the tasks')
    : (data as ReadonlyMap<string, Task>);
}

/** Makes sure that the outputs of all test inputs are known. @throws {MissingSolutionsError} if not. */
export function requireSolutions(dataset: Dataset, path: string): void {
  for (const { taskId, task } of listTasks(dataset)) {
    const index = task.test.findIndex((sample) => sample.output === undefined);
    if (index < 0) continue;
    const expected = solutionsPath(path);
    const advice =
      expected === null
        ? 'give a data set that includes the outputs'
        : `put the solutions at ${expected} or give a data set that includes the outputs`;
    throw new MissingSolutionsError(
      `${path}: the output of test input ${index} of task ${taskId} is not known; ${advice}`,
    );
  }
}

function toEntry(variants: readonly Task[]): unknown {
  if (variants.length !== 1) return variants;
  const { train, test, code } = variants[0]!;
  return test.length === 0 && train.length > 1 && code === undefined ? train : variants[0];
}

/** Makes sure that the program of every task is known. @throws {DatasetError} if not. */
export function requireCode(dataset: Dataset, path: string): void {
  const without = listTasks(dataset).find(({ task }) => task.code === undefined);
  if (!without) return;
  throw new DatasetError(
    `${path}: task ${without.taskId} has no code, which prompt kinds of code need; ` +
      '`arclab import` makes such data sets',
  );
}

/** Writes one line per task, so that differences can be read. */
function writeLines(path: string, entries: Iterable<readonly [string, unknown]>): void {
  const lines = Array.from(entries, ([id, entry]) => `${JSON.stringify(id)}:${JSON.stringify(entry)}`);
  writeFileAtomic(path, `{${lines.join(',\n')}}\n`);
}

/**
 * Writes a data set that {@link loadDataset} reads back equal: one task, a list of variants or a list of
 * samples per id. A file named `…challenges.json` gets no test outputs; those that are known go to
 * `…solutions.json` beside it, as Kaggle does (ids with a single variant only).
 * @throws {UserError} when test outputs would be lost, or the file cannot be written.
 */
export function saveDataset(path: string, dataset: Dataset): void {
  const solutions = solutionsPath(path);
  const named = listTasks(dataset);
  const known = named.filter(({ task }) => task.test.some((sample) => sample.output !== undefined));
  if (solutions === null || known.length === 0) {
    writeLines(
      path,
      Array.from(dataset, ([id, variants]) => [id, toEntry(variants)]),
    );
    return;
  }
  for (const { taskId, task } of known) {
    if (dataset.get(taskId)!.length > 1 || task.test.some((sample) => sample.output === undefined)) {
      throw new DatasetError(
        `${path}: task ${taskId} has variants or some unknown test outputs, which do not fit a pair of ` +
          'challenges and solutions; write to a name that does not end in challenges.json',
      );
    }
  }
  const inputsOnly = (task: Task) => ({ ...task, test: task.test.map(knownOf) });
  writeLines(
    solutions,
    known.map(({ taskId, task }) => [taskId, task.test.map((sample) => sample.output)]),
  );
  writeLines(
    path,
    Array.from(dataset, ([id, variants]) => [id, toEntry(variants.map(inputsOnly))]),
  );
}

/**
 * For test-time fine-tuning: each task becomes one variant per train sample, which has that sample as its
 * test sample and the others as train samples. The test samples are not used. A task with a single train
 * sample has no such variant and is left out.
 */
export function nMinusOne(dataset: Dataset): Dataset {
  const result = new Map<string, readonly Task[]>();
  for (const [id, variants] of dataset) {
    const left = variants.flatMap(leaveOneOut);
    if (left.length > 0) result.set(id, left);
  }
  return result;
}

/** A task once for each of its train samples, which is then the test sample; never where there is only one. */
export function leaveOneOut({ train, code }: Task): Task[] {
  if (train.length < 2) return [];
  const rule = code === undefined ? {} : { code };
  return train.map((sample, i) => ({ train: train.toSpliced(i, 1), test: [sample], ...rule }));
}
