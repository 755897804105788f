/**
 * @file What a submission would do on a machine that is not here: seconds for each task, how many test inputs get an
 * answer in the time, and memory. No model runs; see machines.ts for where the speeds come from.
 */
import { loadTasks } from '../arc/dataset.js';
import { SCORING_CACHE } from '../generation/scoring.js';
import { readConfig, resolveModel } from '../models/index.js';
import { fitPrompt } from '../session/predictions.js';
import { answerTokensOf, openPrompts, promptKindFor } from '../session/prompts.js';
import { type Machine, memoryOn, modelSize, parseMachine, speedsOn } from './machines.js';
import { type SubmitConfig, type SubmitOptions, submitConfig } from './options.js';
import { type Chunk, type Plan, planSubmission } from './plan.js';
import { policyOf } from './policy.js';
import { newMarket, predictedSeconds, tuningLimit } from './schedule.js';

/** What is predicted of a submission on one machine. */
export interface Forecast {
  readonly machine: string;
  /** Whether the speeds of its devices were ever measured. */
  readonly measured: boolean;
  /** Seconds of a device for a task with all of its steps and predictions. */
  readonly taskSeconds: { readonly least: number; readonly median: number; readonly most: number };
  /** Hours until all is done, without a time budget. */
  readonly hours: number;
  /** The part of tasks that have their first answers in the time, and the part of the steps that fits. */
  readonly coverage: number;
  readonly steps: number;
  /** Predictions for each test input, on average. */
  readonly predictions: number;
  /** The part of the test inputs that are searched, where a search is asked for. */
  readonly searched?: number;
  /** GiB of one device: there is, and what weights, a step and the cache take together at the most. */
  readonly memory: number;
  readonly needed: number;
  /** Whether layers are run again for the gradient because the step would not fit otherwise. */
  readonly checkpointed: boolean;
}

/** Predicts a submission on machines such as `T4x2`. @throws {UserError} as {@link submit} */
export async function forecastSubmission(
  options: Omit<SubmitOptions, 'outputDir'> & Partial<Pick<SubmitOptions, 'outputDir'>>,
  machines: readonly string[],
): Promise<Forecast[]> {
  const parsed = machines.map(parseMachine);
  // the backend of those machines may not be here
  const config = submitConfig({ ...options, outputDir: options.outputDir ?? '.', backend: 'torch' });
  const kind = promptKindFor(config.promptVersion, ['output-from-examples'], 'submit');
  const tasks = loadTasks(config.challengesPath);
  const session = await openPrompts({ ...config, adapterPath: undefined });
  const adapter = config.adapterPath === undefined ? null : await resolveModel(config.adapterPath);
  const prompts = session.builder(kind);
  const answerTokens = answerTokensOf(session, config.maxNewTokens);
  const size = modelSize(readConfig(session.folder));
  const planFor = (speeds: Plan['speeds']) =>
    planSubmission(
      tasks,
      { ...config, fineTunePerTask: true },
      {
        ...{ devices: 1, adapter, speeds, answerTokens },
        promptTokens: (task, testIndex) =>
          fitPrompt(prompts, task, testIndex, session.maxSeqLen - answerTokens(task))?.tokens.length ??
          session.maxSeqLen,
      },
    );
  const all = planFor(newMarket({ tune: 1, prompt: 1, answer: 1 }).speeds).chunks;
  const lengths = all
    .filter((chunk) => !isSearch(chunk))
    .map(({ items, tokens }) => (tokens.prompt + tokens.answer) / items.length);
  const sample = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const longest = Math.max(...lengths);
  const usage = {
    ...{ batchSize: config.batchSize, longest },
    stepTokens: config.fineTuneBatchSize * sample,
    cached: Math.max(config.batchSize * longest, config.searchViews > 0 ? SCORING_CACHE : 0),
    rank: config.lora.r,
  };
  return parsed.map((machine) => {
    const speeds = speedsOn(machine.processor, size, usage);
    const { weights, step, checkpointed, cache } = memoryOn(machine.processor, size, usage);
    const room = machine.processor.memory - weights;
    const isTight = step > 0.8 * room;
    const tuning = config.fineTuneSteps > 0 ? (isTight ? checkpointed : step) : 0;
    return {
      ...forecast(planFor(speeds), config, machine, tasks.size),
      memory: machine.processor.memory,
      needed: weights + Math.max(tuning, cache),
      checkpointed: config.fineTuneSteps > 0 && isTight,
    };
  });
}

const isSearch = ({ items }: Chunk) => items[0]!.views !== undefined;

/** What fits into the time: a pure function of the plan. */
export function forecast(
  plan: Plan,
  config: SubmitConfig,
  { name, processor, count }: Machine,
  tasks: number,
): Omit<Forecast, 'memory' | 'needed' | 'checkpointed'> {
  const processes = count * config.processes;
  const policy = policyOf(config, 0, 0, { tasks, processes });
  const market = newMarket(plan.speeds);
  const byTask = new Map<string, number>();
  for (const chunk of plan.chunks) {
    const { tune, predict } = predictedSeconds(market, chunk);
    byTask.set(
      chunk.taskId!,
      (byTask.get(chunk.taskId!) ?? 0) + predict + (chunk.turn === 0 && config.fineTuneSteps > 0 ? tune : 0),
    );
  }
  const seconds = [...byTask.values()].sort((a, b) => a - b);
  const total = seconds.reduce((sum, value) => sum + value, 0);
  const { covered, steps, left } = firstTurns(plan, config, policy, processes);
  const later = plan.chunks.filter(({ turn }) => turn > 0);
  const laterSeconds = later.reduce((sum, chunk) => sum + predictedSeconds(market, chunk).predict, 0);
  const part = laterSeconds === 0 ? 1 : Math.min(1, left / laterSeconds);
  const searches = later.filter(isSearch).length;
  const laterItems = later.reduce((sum, chunk) => sum + (isSearch(chunk) ? 0 : chunk.items.length), 0);
  const predictions = (covered.items + part * laterItems) / plan.inputs;
  return {
    machine: name,
    measured: processor.measured !== undefined,
    taskSeconds: {
      least: seconds[0] ?? 0,
      median: seconds[Math.floor(seconds.length / 2)] ?? 0,
      most: seconds.at(-1) ?? 0,
    },
    hours: total / processes / 3600,
    coverage: covered.tasks / Math.max(1, byTask.size),
    steps,
    predictions,
    ...(searches > 0 ? { searched: (part * searches) / plan.inputs } : {}),
  };
}

/** First turns as the dispatch of work hands them out, with what was predicted in the place of what is measured. */
function firstTurns(
  plan: Plan,
  { fineTuneSteps }: SubmitConfig,
  policy: ReturnType<typeof policyOf>,
  processes: number,
) {
  const market = newMarket(plan.speeds);
  const free = Array.from({ length: processes }, () => 0);
  const waiting: Chunk[] = plan.chunks.filter(({ turn }) => turn === 0);
  const covered = { tasks: 0, items: 0 };
  let wanted = 0;
  let taken = 0;
  for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
    const process = free.indexOf(Math.min(...free));
    const { tune, predict } = predictedSeconds(market, chunk);
    const seconds = policy.deadline - free[process]!;
    const limit = tuningLimit(market, chunk, waiting, { ...policy, seconds, processes });
    const steps = fineTuneSteps > 0 ? Math.min(tune, limit) : 0;
    wanted += fineTuneSteps > 0 ? tune : 0;
    taken += steps;
    free[process] = free[process]! + steps + predict;
    if (free[process]! > policy.deadline) continue;
    covered.tasks += 1;
    covered.items += chunk.items.length;
  }
  const left = free.reduce((sum, at) => sum + Math.max(0, policy.deadline - at), 0);
  return { covered, steps: wanted === 0 ? 1 : taken / wanted, left };
}

/** Forecasts as rows of a table, and where their speeds come from. */
export function forecastRows(forecasts: readonly Forecast[]): {
  rows: Record<string, string>[];
  source: string;
} {
  const seconds = (value: number) => (value < 10 ? value.toFixed(1) : value.toFixed(0));
  const percent = (part: number) => `${Math.round(100 * part)}%`;
  const rows = forecasts.map(({ machine, taskSeconds: { least, median, most }, ...f }) => ({
    machine,
    'seconds a task': `${seconds(least)} to ${seconds(most)}, median ${seconds(median)}`,
    'hours for all': f.hours.toFixed(1),
    'tasks answered': percent(f.coverage),
    'steps that fit': percent(f.steps),
    'predictions each': f.predictions.toFixed(1),
    ...(f.searched === undefined ? {} : { searched: percent(f.searched) }),
    'GiB of a device': `${f.needed.toFixed(1)} of ${f.memory}${f.checkpointed ? ', layers run twice' : ''}`,
    speeds: f.measured ? 'measured' : 'not measured',
  }));
  const source =
    'speeds: data sheets, of which 30 % are taken to be reached in fine-tuning, 40 % in reading prompts and half in ' +
    'decoding; what is not measured may be wrong by a factor of two';
  return { rows, source };
}
