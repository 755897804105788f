/**
 * The main job in miniature, top to bottom: make tasks, predict with the base model, fine-tune it on outputs
 * and on inputs, predict again, vote, generate new inputs, write the submission and the report.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { saveDataset } from '../arc/dataset.js';
import { generateTasks } from '../arc/generate.js';
import type { Dataset } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { assertWritableFolder, packageRoot, writeFileAtomic } from '../common/files.js';
import { Rng } from '../common/rng.js';
import { lossPlot, predictionCountPlot, validationLossPlot } from '../display/plots.js';
import { type ReportSection, saveReport } from '../display/report.js';
import { taskCards } from '../display/report-gallery.js';
import { answersOf } from '../evaluation/files.js';
import { computeMetrics, formatMetrics, formatPercent } from '../evaluation/metrics.js';
import { effectOfPredictionCount } from '../evaluation/studies.js';
import { buildSubmission, saveSubmission } from '../evaluation/submission.js';
import type { Prediction } from '../evaluation/types.js';
import { vote, voteMetrics } from '../evaluation/voting.js';
import { type FineTuneHooks, type FineTuneResult, fineTune } from './fine-tune.js';
import { type GenerateInputsResult, generateInputs } from './generate-inputs.js';
import { type GenerationHooks, infer } from './infer.js';

/** The rules that the base model has not seen, and that the run teaches it. */
export const startGenerators = [
  'draw-border',
  'recolor-alternate-rows',
  'mark-corners',
  'checkerboard-mask',
] as const;

/** The tasks of the run, small enough for a model of a million weights. */
export const startKnobs = { maxSize: 4, minSize: 4, colors: 3, objects: 3 } as const;

/** Options of {@link start}. */
export interface StartOptions {
  /** Where everything goes. */
  outputDir?: string;
  /** The model to fine-tune: the small one that comes with the package, or another folder. */
  modelPath?: string;
  /** ARCLAB_BACKEND, else the embedded one. */
  backend?: string;
  seed?: number;
  /** Tasks to learn from and tasks to be measured on. */
  trainTasks?: number;
  valTasks?: number;
  maxSteps?: number;
  predictionsPerTask?: number;
}

/** How a program follows the run. */
export interface StartHooks extends GenerationHooks {
  /** A new part begins. */
  onStage?: (stage: string) => void;
  onTrainingEvent?: FineTuneHooks['onEvent'];
  signal?: AbortSignal;
}

/** What the run came to. */
export interface StartResult {
  /** Metrics over all predictions and of the vote, on tasks that no training saw. */
  before: Record<string, number>;
  after: Record<string, number>;
  reportPath: string;
  submissionPath: string;
  seconds: number;
}

const startDefaults = {
  outputDir: 'output/start',
  seed: 7,
  trainTasks: 800,
  valTasks: 32,
  maxSteps: 400,
  predictionsPerTask: 8,
} as const;

/** The folder of the small pretrained model that comes with the package. */
export const baseModelFolder = (): string => join(packageRoot(), 'assets', 'base-model');

const outputKind = 'output-from-examples-mini';
const inputKind = 'input-from-inputs-mini';

/** Runs the whole experiment on a small model and tasks of our own making. */
export async function start(options: StartOptions & StartHooks = {}): Promise<StartResult> {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  // the embedded backend gives the same digits on every machine, and is the fastest for so small a model
  const backend = process.env.ARCLAB_BACKEND || 'wasm';
  const o = { ...startDefaults, modelPath: baseModelFolder(), backend, ...given } as typeof startDefaults &
    StartOptions &
    StartHooks & { modelPath: string };
  const { onStage = () => {}, onNote = () => {} } = options;
  const startedAt = performance.now();
  if (!existsSync(join(o.modelPath, 'config.json'))) {
    throw new UserError(`--model_path: expected a model folder, found no config.json in ${o.modelPath}`);
  }
  assertWritableFolder(o.outputDir, '--output_dir');
  const file = (name: string) => join(o.outputDir, name);

  onStage('Making tasks');
  const { train, val } = makeTasks(o);
  saveDataset(file('train.json'), train);
  saveDataset(file('val.json'), val);
  onNote(
    `${train.size} tasks to learn from and ${val.size} others to be measured on, of ${startGenerators.length} kinds`,
  );

  const model = {
    modelPath: o.modelPath,
    gridEncoder: 'MinimalGridEncoder()',
    backend: o.backend,
    seed: o.seed,
  };
  const predict = async (name: string, adapterPath?: string) => {
    const { predictions } = await infer({
      ...model,
      ...(adapterPath === undefined ? {} : { adapterPath }),
      datasetPath: file('val.json'),
      outputFilepath: file(`inference_${name}.json`),
      promptVersion: outputKind,
      predictionsPerTask: o.predictionsPerTask,
      batchSize: 32,
      maxOutputTokens: 80,
      onProgress: o.onProgress,
      onNote,
    });
    const metrics = measure(predictions, val);
    onNote(formatMetrics(metrics));
    return { predictions, metrics };
  };

  onStage('Predicting with the base model');
  const before = await predict('before');

  onStage('Fine-tuning on outputs and on inputs');
  const training = await fineTune({
    ...model,
    trainDatasets: [
      [file('train.json'), outputKind, 3],
      [file('train.json'), inputKind, 1],
    ],
    valDataset: [
      [file('val.json'), outputKind],
      [file('val.json'), inputKind],
    ],
    outputDir: file('model'),
    maxSteps: o.maxSteps,
    evalSteps: Math.ceil(o.maxSteps / 4),
    saveSteps: o.maxSteps,
    loggingSteps: Math.max(1, Math.round(o.maxSteps / 40)),
    resumeFromCheckpoint: false,
    maxSeqLen: 512,
    maxTokensPerBatch: 4096,
    batchSize: 16,
    learningRate: 2e-3,
    loraR: 16,
    loraAlpha: 32,
    loraTargetModules: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
    onEvent: o.onTrainingEvent,
    signal: o.signal,
  });

  onStage('Predicting with the fine-tuned model');
  const after = await predict('after', training.checkpoint);

  onStage('Generating new inputs');
  const inputs = await generateInputs({
    ...model,
    adapterPath: training.checkpoint,
    datasetPath: file('val.json'),
    outputFilepath: file('generated_inputs.json'),
    promptVersion: inputKind,
    n: 4,
    batchSize: 32,
    maxOutputTokens: 80,
    temperature: 0.9,
  });
  onNote(`${inputs.valid} of ${inputs.drawn} answers are grids, ${inputs.fresh} of them different and new`);

  onStage('Writing the submission and the report');
  const submissionPath = file('submission.json');
  saveSubmission(submissionPath, buildSubmission(vote(after.predictions, { n: 2 }), val), val);
  const metrics = { before: before.metrics, after: after.metrics };
  writeFileAtomic(file('metrics.json'), `${JSON.stringify(metrics, null, 2)}\n`);
  const seconds = (performance.now() - startedAt) / 1000;
  const reportPath = file('report.html');
  await saveReport(reportPath, {
    title: 'One iteration in miniature',
    lead:
      'A small language model learned rules that it had never seen from tasks made by generators, and ' +
      'was measured on other tasks of the same kinds.',
    tiles: ['accuracy', 'pass_n', 'vote_2'].map((name) => ({
      label: name,
      value: formatPercent(after.metrics[name]!),
      note: `before: ${formatPercent(before.metrics[name]!)}`,
    })),
    facts: [
      { label: 'steps', value: String(training.steps) },
      { label: 'seed', value: String(o.seed) },
      { label: 'time', value: `${Math.round(seconds)} s` },
    ],
    sections: sections(before, after, training, inputs, val, o.seed),
  });
  return { ...metrics, reportPath, submissionPath, seconds };
}

/** Tasks to learn from and other tasks of the same rules: none of the second is among the first. */
function makeTasks(o: { trainTasks: number; valTasks: number; seed: number }): {
  train: Dataset;
  val: Dataset;
} {
  const generators = [...startGenerators];
  const make = (count: number, seed: number) => generateTasks({ ...startKnobs, generators, count, seed });
  const val = make(o.valTasks, o.seed + 1);
  const measured = new Set([...val.values()].map((variants) => JSON.stringify(variants[0]!.test)));
  const train = [...make(o.trainTasks, o.seed)].filter(
    ([, variants]) => !measured.has(JSON.stringify(variants[0]!.test)),
  );
  return { train: new Map(train), val };
}

/** All metrics of a set of predictions, the votes included. */
function measure(predictions: readonly Prediction[], dataset: Dataset): Record<string, number> {
  return { ...computeMetrics(answersOf(predictions), dataset).overall, ...voteMetrics(predictions, dataset) };
}

type Measured = { predictions: readonly Prediction[]; metrics: Record<string, number> };

function sections(
  before: Measured,
  after: Measured,
  { history }: FineTuneResult,
  inputs: GenerateInputsResult,
  val: Dataset,
  seed: number,
): ReportSection[] {
  const perKind = history.validation.flatMap(({ step, kinds }) =>
    Object.entries(kinds).map(([series, { loss }]) => ({ step, loss, series })),
  );
  const counts = effectOfPredictionCount(after.predictions, val, { rng: Rng.of(seed, 'report') });
  return [
    {
      heading: 'Metrics before and after',
      blocks: [{ kind: 'metrics', before: before.metrics, after: after.metrics }],
    },
    {
      heading: 'Training',
      blocks: [
        {
          kind: 'plots',
          plots: [
            lossPlot(history.train, { title: 'Training loss' }),
            validationLossPlot(perKind, { title: 'Validation loss per prompt kind' }),
          ],
        },
        { kind: 'text', text: isHarder(history.validation.at(-1)?.kinds ?? {}) },
      ],
    },
    {
      heading: 'Effect of the number of predictions',
      blocks: [{ kind: 'plots', plots: [predictionCountPlot(counts)] }],
    },
    {
      heading: 'Tasks, predictions and votes',
      blocks: [{ kind: 'tasks', cards: taskCards(after.predictions, val, { limit: 12 }) }],
    },
    {
      heading: 'New inputs',
      blocks: [
        {
          kind: 'text',
          text: `Of ${inputs.drawn} answers, ${inputs.valid} are grids; ${inputs.fresh} of those are different from each other and from the task's own.`,
        },
        {
          kind: 'generated',
          cards: [...inputs.grids].slice(0, 6).map(([taskId, grids]) => ({
            title: taskId,
            originals: val.get(taskId)![0]!.train.map(({ input }) => input),
            generated: grids.filter(({ isNew }) => isNew).map(({ grid }) => grid),
          })),
        },
      ],
    },
  ];
}

/** Is it harder to generate inputs than outputs? The validation losses answer. */
function isHarder(kinds: Readonly<Record<string, { loss: number }>>): string {
  const output = kinds[outputKind]?.loss;
  const input = kinds[inputKind]?.loss;
  if (output === undefined || input === undefined) return '';
  return (
    `An output token costs ${output.toFixed(2)} nats at the end, an input token ${input.toFixed(2)}: ` +
    `${input > output ? 'inputs are harder to predict, because nothing determines them' : 'outputs are harder to predict'}.`
  );
}
