/**
 * @file What is to be done: which predictions, in which order, which of them are asked for together, and which tasks
 * share an adapter. A pure function of challenges, options and seed, so that a submission with two processes, or one
 * that is continued, makes the same predictions.
 */
import type { Task } from '../arc/types.js';
import { countPredictions } from '../session/predictions.js';
import { TaskViews } from '../session/views.js';
import { type Speeds, secondsAt, type Tokens } from './costs.js';
import type { SubmitConfig } from './options.js';
import type { Item } from './protocol.js';

/** An item with what it is taken to cost: the tokens of its prompts, each as long as the plain one. */
export interface PlannedItem extends Item {
  readonly cost: number;
  /** Of a search: under how many views. */
  readonly views?: number;
}

/**
 * Predictions that are asked for together: the last digit of a log-probability may depend on it. A search is asked for
 * by itself.
 */
export interface Chunk {
  /** Index of the group of tasks that they are about. */
  readonly group: number;
  /** The task, where each is asked by itself. */
  readonly taskId?: string;
  /** Work of the lowest turn is done first: in the first, every test input gets an answer. */
  readonly turn: number;
  readonly items: readonly PlannedItem[];
  /** What it feeds, with the fine-tuning on its task. */
  readonly tokens: Tokens;
  /** A search whose process ended once: the next time counts as its own fault. */
  readonly isRepeated?: true;
}

/** Tasks that share a model, and the adapters to try for them, best first; null is the base alone. */
export interface TaskGroup {
  readonly taskIds: readonly string[];
  readonly adapters: readonly (string | null)[];
}

/** All the work of a submission. */
export interface Plan {
  readonly groups: readonly TaskGroup[];
  /** In the order in which they are to be done. */
  readonly chunks: readonly Chunk[];
  readonly inputs: number;
  /** All items. */
  readonly items: number;
  /** Of one process, before anything was measured. */
  readonly speeds: Speeds;
  /** Predictions that are not made because there is no new view of their task. */
  readonly withoutView: number;
}

/** What a plan depends on beside the options. */
export interface PlanContext {
  /** How many devices compute: the default for the number of groups. */
  readonly devices: number;
  /** The folder of the given adapter; null without one. */
  readonly adapter: string | null;
  /** The length of the plain prompt about a test input. */
  readonly promptTokens: (task: Task, testIndex: number) => number;
  /** About how long an answer is. */
  readonly answerTokens: (task: Task) => number;
  readonly speeds: Speeds;
}

type Tasks = ReadonlyMap<string, Task>;

/** Plans a submission. */
export function planSubmission(tasks: Tasks, config: SubmitConfig, context: PlanContext): Plan {
  const groups = groupTasks(tasks, config, context);
  const { speeds } = context;
  const predictions = planItems(tasks, config, context.promptTokens);
  const searches = planSearches(tasks, config, predictions);
  const inputs = [...tasks.values()].reduce((sum, { test }) => sum + test.length, 0);
  return {
    groups,
    chunks: config.fineTunePerTask
      ? cutByTask(predictions, searches, config, tokensOf(tasks, config, context), speeds)
      : cut(predictions, searches, groups, config),
    inputs,
    items: predictions.length + searches.length,
    speeds,
    withoutView: config.predictionsPerTask * inputs - predictions.length,
  };
}

/** Tasks by the adapter that they share: every n-th task in a group, so that all groups are about as hard. */
function groupTasks(tasks: Tasks, config: SubmitConfig, { devices, adapter }: PlanContext): TaskGroup[] {
  const ids = [...tasks.keys()];
  const count =
    config.fineTuneSteps === 0 || config.fineTunePerTask
      ? 1
      : Math.min(ids.length, config.fineTuneGroups ?? devices);
  return Array.from({ length: count }, (_, group) => ({
    taskIds: ids.filter((_, i) => i % count === group),
    adapters: adapter === null ? [null] : [adapter, null],
  }));
}

/** In rounds over all test inputs, within a round the shortest prompts first. */
function planItems(
  tasks: Tasks,
  { seed, predictionsPerTask, temperature, ...toggles }: SubmitConfig,
  promptTokens: PlanContext['promptTokens'],
): PlannedItem[] {
  const inputs = [...tasks].flatMap(([taskId, task]) => {
    const count = countPredictions(
      new TaskViews(seed, taskId, task, toggles),
      predictionsPerTask,
      temperature,
    );
    return task.test.map((_, testIndex) => ({
      taskId,
      testIndex,
      count,
      cost: promptTokens(task, testIndex),
    }));
  });
  inputs.sort((a, b) => a.cost - b.cost);
  const rounds = Math.max(0, ...inputs.map(({ count }) => count));
  return Array.from({ length: rounds }, (_, i) =>
    inputs
      .filter(({ count }) => i < count)
      .map(({ taskId, testIndex, cost }) => ({ taskId, testIndex, i, cost })),
  ).flat();
}

/** A search for each test input, in the order of the first predictions, and after all of its predictions. */
function planSearches(
  tasks: Tasks,
  { seed, searchViews, ...toggles }: SubmitConfig,
  predictions: readonly PlannedItem[],
): PlannedItem[] {
  if (searchViews === 0) return [];
  const counts = new Map<string, number>();
  const keyOf = ({ taskId, testIndex }: Item) => `${taskId}/${testIndex}`;
  for (const item of predictions) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return predictions.flatMap(({ i, cost, ...input }) => {
    if (i > 0) return [];
    const { taskId } = input;
    const views = Math.min(searchViews, new TaskViews(seed, taskId, tasks.get(taskId)!, toggles).total);
    // each view has one prompt in the search, and one for the scores
    return [{ ...input, i: counts.get(keyOf({ ...input, i }))!, cost: 2 * views * cost, views }];
  });
}

/**
 * Work is cut into at least so many pieces, as far as a piece fills a batch. It says who is asked together, so that
 * another number would change log-probabilities of earlier versions; nothing is gained by choosing it.
 */
const PIECES = 16;

/** Cuts the work into what is asked together: each piece about one group, in the order of its first item. */
function cut(
  items: readonly PlannedItem[],
  searches: readonly PlannedItem[],
  groups: readonly TaskGroup[],
  {
    batchSize,
    batchesPerRequest,
    predictionsPerTask,
  }: Pick<SubmitConfig, 'batchSize' | 'batchesPerRequest' | 'predictionsPerTask'>,
): Chunk[] {
  const size = Math.max(batchSize, Math.min(batchesPerRequest * batchSize, Math.ceil(items.length / PIECES)));
  const groupOf = new Map(groups.flatMap(({ taskIds }, group) => taskIds.map((id) => [id, group] as const)));
  const open = new Map<number, PlannedItem[]>();
  const chunks: Chunk[] = [];
  for (const item of items) {
    const group = groupOf.get(item.taskId)!;
    const last = open.get(group);
    if (last && last.length < size) {
      last.push(item);
      continue;
    }
    const fresh = [item];
    open.set(group, fresh);
    chunks.push({ group, turn: item.i, items: fresh, tokens: NO_TOKENS });
  }
  const turn = predictionsPerTask;
  for (const item of searches) {
    chunks.push({ group: groupOf.get(item.taskId)!, turn, items: [item], tokens: NO_TOKENS });
  }
  return chunks;
}

/** The cost of chunks that several tasks share is not looked at: they are asked in rounds. */
const NO_TOKENS: Tokens = { tune: 0, prompt: 0, answer: 0 };

/** Tokens of a turn about a task: its items, and the fine-tuning that comes before them. */
type TokensOf = (taskId: string, items: readonly PlannedItem[]) => Tokens;

/**
 * Cuts the work into turns of one task each, as many whole rounds over its test inputs as a batch holds. First turns
 * come first, and among them the cheapest, so that as many test inputs as can be have an answer whenever time ends.
 */
function cutByTask(
  items: readonly PlannedItem[],
  searches: readonly PlannedItem[],
  { batchSize }: Pick<SubmitConfig, 'batchSize'>,
  tokensOf: TokensOf,
  speeds: Speeds,
): Chunk[] {
  const byTask = new Map<string, PlannedItem[]>();
  for (const item of items) byTask.set(item.taskId, [...(byTask.get(item.taskId) ?? []), item]);
  const chunks = [...byTask].flatMap(([taskId, list]) => {
    list.sort((a, b) => a.i - b.i || a.testIndex - b.testIndex);
    const inputs = list.filter(({ i }) => i === 0).length;
    const size = Math.max(1, Math.floor(batchSize / inputs)) * inputs;
    const turns = Math.ceil(list.length / size);
    const chunkOf = (turn: number, items: readonly PlannedItem[]): Chunk => ({
      ...{ group: 0, taskId, turn, items, tokens: tokensOf(taskId, items) },
    });
    return [
      ...Array.from({ length: turns }, (_, turn) =>
        chunkOf(turn, list.slice(turn * size, (turn + 1) * size)),
      ),
      ...searches.filter((item) => item.taskId === taskId).map((item) => chunkOf(turns, [item])),
    ];
  });
  const cost = new Map(
    chunks.map((chunk) => {
      const { tune, predict } = secondsAt(chunk.tokens, speeds);
      return [chunk, tune + predict];
    }),
  );
  return chunks.sort((a, b) => a.turn - b.turn || cost.get(a)! - cost.get(b)!);
}

/**
 * About how many answers a search follows under each view, and how many candidates are scored, times the threshold.
 * With the small base and 8 views (docs/log.md) it followed 0.3 and scored 2 at a threshold of 0.1, 1.3 and 8 at 0.02.
 */
const FOLLOWED = 0.05;
const CANDIDATES = 0.2;

/**
 * A sample to learn from is taken to be as long as the prompts about its task and an answer. The tokens of scored
 * answers are fed together, as those of prompts.
 */
function tokensOf(
  tasks: Tasks,
  { fineTuneSteps, fineTuneBatchSize, searchThreshold }: SubmitConfig,
  { answerTokens }: PlanContext,
): TokensOf {
  const followed = FOLLOWED / searchThreshold;
  const candidates = Math.max(1, CANDIDATES / searchThreshold);
  return (taskId, items) => {
    const answer = answerTokens(tasks.get(taskId)!);
    const sum = (of: (item: PlannedItem) => number) => items.reduce((all, item) => all + of(item), 0);
    const plain = sum(({ cost, views }) => (views === undefined ? cost : cost / (2 * views))) / items.length;
    return {
      tune: fineTuneSteps * fineTuneBatchSize * (plain + answer),
      prompt: sum(({ cost, views = 0 }) => cost + views * candidates * answer),
      answer: sum(({ views }) => (views === undefined ? 1 : views * followed) * answer),
    };
  };
}
