/**
 * The main job in miniature, top to bottom: make tasks, predict with the base model, fine-tune it on outputs
 * and on inputs, search and score answers, generate new inputs, write the submission and the report.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { saveDataset } from '../arc/dataset.js';
import type { Dataset } from '../arc/types.js';
import { StoppedError, UserError } from '../common/errors.js';
import { type Hooks, notesTo, type ProgressEvent, type StageEvent } from '../common/events.js';
import { assertWritableFolder, packageRoot, writeJson } from '../common/files.js';
import { outputFolder, withLock } from '../common/lock.js';
import { contributionRows } from '../display/contributions.js';
import { iterationReport } from '../display/iteration-report.js';
import { saveReport } from '../display/report.js';
import { textTable } from '../display/tables.js';
import { type Contribution, contributions } from '../evaluation/contributions.js';
import { answersOf, saveResults } from '../evaluation/files.js';
import { computeMetrics, formatMetrics, mean, solvedPerTask } from '../evaluation/metrics.js';
import { buildSubmission, saveSubmission } from '../evaluation/submission.js';
import type { Answers, Prediction } from '../evaluation/types.js';
import { vote } from '../evaluation/voting.js';
import { startOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';
import { recordStart } from '../records/flows.js';
import { openModel, type SessionEvent } from '../session/index.js';
import { type FineTuneEvent, fineTune } from './fine-tune.js';
import { type GenerationEvent, infer } from './infer.js';
import { answerTasks, answerTunedTasks } from './start-answers.js';
import { makeTasks, startLevels } from './start-levels.js';

export { hardGenerators, hardKnobs, startGenerators, startKnobs } from './start-levels.js';

/** Options of {@link start}. */
export type StartOptions = OptionsOf<typeof startOptions.table>;

/** What happens in the run. */
export type StartEvent = StageEvent | ProgressEvent<'tasks'> | GenerationEvent | SessionEvent | FineTuneEvent;

/** How a program follows the run and stops it. */
export type StartHooks = Hooks<StartEvent>;

/** What the run came to. */
export interface StartResult {
  /** Metrics over all predictions, and vote_1 and vote_2 of the attempts that were chosen, on tasks that no training saw. */
  before: Record<string, number>;
  after: Record<string, number>;
  /** What each way of choosing attempts solves, from greedy decoding to all steps, and to tuning on each task. */
  parts: Contribution[];
  reportPath: string;
  submissionPath: string;
  seconds: number;
}

/** The folder of the small pretrained model that comes with the package. */
export const baseModelFolder = (): string => join(packageRoot(), 'assets', 'base-model');

/** The kind that the base was pretrained on, and the kinds that it is fine-tuned on. */
const baseKind = 'output-from-examples-mini';
const outputKind = 'output-from-examples-even';
const inputKind = 'input-from-inputs-mini';

/** More than the longest prompt and answer have, in tokens. */
const MAX_LENGTH = 512;

/** Runs the whole experiment on a small model and tasks of our own making. */
export async function start(options: StartOptions & StartHooks = {}): Promise<StartResult> {
  const { onEvent, signal, ...given } = options;
  // the embedded backend gives the same digits on every machine, and is the fastest for so small a model
  const backend = process.env.ARCLAB_BACKEND || 'wasm';
  const o = { modelPath: baseModelFolder(), backend, ...startOptions.check(given, notesTo(onEvent)) };
  if (!existsSync(join(o.modelPath, 'config.json'))) {
    throw new UserError(`\`modelPath\`: expected a model folder, found no config.json in ${o.modelPath}`);
  }
  assertWritableFolder(o.outputDir, '`outputDir`');
  return withLock(
    outputFolder(o.outputDir),
    (stopping) => recordStart({ given, config: o }, () => experiment(o, { onEvent, signal: stopping })),
    signal,
  );
}

/** The experiment, in a folder that is its own. */
async function experiment(
  o: ReturnType<typeof startOptions.check> & { modelPath: string; backend: string },
  { onEvent, signal }: StartHooks,
): Promise<StartResult> {
  const onNote = notesTo(onEvent);
  const onStage = (name: string) => onEvent?.({ type: 'stage', name });
  const startedAt = performance.now();
  const file = (name: string) => join(o.outputDir, name);
  const level = startLevels[o.level];
  const steps = { ...level.training, maxSteps: o.maxSteps ?? level.training.maxSteps };

  onStage('Making tasks');
  const { train, val } = makeTasks(level, o);
  saveDataset(file('train.json'), train);
  saveDataset(file('val.json'), val);
  onNote(
    `${train.size} tasks to learn from and ${val.size} others to be measured on, of ${level.generators.length} kinds`,
  );

  const settings = { gridEncoder: 'MinimalGridEncoder()', backend: o.backend, seed: o.seed };
  const decoding = { batchSize: 32, maxNewTokens: level.maxNewTokens, onEvent, signal };

  onStage('Predicting with the base model');
  const { predictions: guesses } = await infer({
    ...settings,
    ...decoding,
    modelPath: o.modelPath,
    promptVersion: baseKind,
    datasetPath: file('val.json'),
    outputPath: file('inference_before.json'),
    predictionsPerTask: o.predictionsPerTask,
  });
  const before = { predictions: guesses, metrics: measure(guesses, vote(guesses), val) };
  onNote(formatMetrics(before.metrics));

  onStage('Fine-tuning on outputs and on inputs');
  const training = await fineTune({
    ...settings,
    modelPath: o.modelPath,
    useLora: false,
    trainDatasets: [
      [file('train.json'), outputKind, 15],
      [file('train.json'), inputKind, 1],
    ],
    valDataset: [
      [file('val.json'), outputKind],
      [file('val.json'), inputKind],
    ],
    lossOn: 'every-answer',
    // generated tasks come in all colours
    colorAugmentation: false,
    outputDir: file('model'),
    ...steps,
    evalSteps: Math.ceil(steps.maxSteps / 4),
    saveSteps: steps.maxSteps,
    loggingSteps: Math.max(1, Math.round(steps.maxSteps / 40)),
    resumeFromCheckpoint: false,
    maxSeqLen: MAX_LENGTH,
    maxTokensPerBatch: 4096,
    adamBeta2: 0.99,
    onEvent,
    signal,
  });
  if (training.interrupted) throw new StoppedError('stopped while training: the same command starts again');

  onStage('Answering with the fine-tuned model: predictions, search, scores');
  const { seed, ...same } = settings;
  using model = await openModel({ ...same, modelPath: training.checkpoint });
  const asked = {
    ...level.answers,
    seed,
    promptVersion: outputKind,
    maxNewTokens: level.maxNewTokens,
    predictionsPerTask: o.predictionsPerTask,
  };
  const { predictions, pool, answers, parts } = await answerTasks(model, val, asked, { onEvent, signal });
  saveResults(file('inference_after.json'), pool);
  const after = { predictions, metrics: measure(predictions, answers, val) };
  onNote(formatMetrics(after.metrics));

  const tuning = { ...level.tuning, steps: o.tuneSteps ?? level.tuning.steps, maxSeqLen: MAX_LENGTH };
  const tuningFrom = performance.now();
  if (tuning.steps > 0) onStage(`Learning each task for ${tuning.steps} steps, and answering again`);
  const tuned =
    tuning.steps > 0 ? await answerTunedTasks(model, val, tuning, asked, { onEvent, signal }) : [];
  const tuningSeconds = (performance.now() - tuningFrom) / 1000;
  const contributed = contributions([...parts, ...tuned], val, { seed: o.seed });
  const percent = ['solved by 1', 'solved by 2'];
  onNote(textTable(contributionRows(contributed), { percent }));

  onStage('Generating new inputs');
  const inputs = await model.generateInputs(val, {
    ...decoding,
    seed,
    outputPath: file('generated_inputs.json'),
    promptVersion: inputKind,
    n: 4,
    temperature: 0.9,
  });
  onNote(`${inputs.valid} of ${inputs.drawn} answers are grids, ${inputs.fresh} of them different and new`);

  onStage('Writing the submission and the report');
  const submissionPath = file('submission.json');
  saveSubmission(submissionPath, buildSubmission(answers, val), val);
  const metrics = { before: before.metrics, after: after.metrics };
  writeJson(file('metrics.json'), { ...metrics, parts: contributed });
  const seconds = (performance.now() - startedAt) / 1000;
  const reportPath = file('report.html');
  await saveReport(
    reportPath,
    iterationReport({
      before,
      after,
      pool,
      parts: contributed,
      tuning: { steps: tuning.steps, seconds: tuningSeconds },
      history: training.history,
      inputs,
      dataset: val,
      kinds: { output: outputKind, input: inputKind },
      facts: {
        level: o.level,
        steps: String(training.steps),
        seed: String(o.seed),
        time: `${Math.round(seconds)} s`,
      },
      seed: o.seed,
    }),
  );
  return { ...metrics, parts: contributed, reportPath, submissionPath, seconds };
}

/** All metrics of a set of predictions, and how many tasks one and two of the attempts solve that were chosen. */
function measure(
  predictions: readonly Prediction[],
  attempts: Answers,
  dataset: Dataset,
): Record<string, number> {
  const solved = ([1, 2] as const).map((n) => [`vote_${n}`, mean(solvedPerTask(attempts, dataset, n))]);
  return {
    ...computeMetrics(answersOf(predictions), dataset).overall,
    ...Object.fromEntries(solved),
  };
}
