/** The report of an iteration: what a training has changed, in numbers and in pictures. */
import type { Dataset, Grid } from '../arc/types.js';
import { Rng } from '../common/rng.js';
import type { Contribution } from '../evaluation/contributions.js';
import { formatPercent } from '../evaluation/metrics.js';
import { studySelection } from '../evaluation/selection-study.js';
import { effectOfPredictionCount } from '../evaluation/studies.js';
import type { Prediction } from '../evaluation/types.js';
import type { TrainingHistory } from '../training/metrics-log.js';
import { contributionRows } from './contributions.js';
import { lossPlot, predictionCountPlot, validationLossPlot } from './plots.js';
import type { Report, ReportSection } from './report.js';
import { taskCards } from './report-gallery.js';
import { selectionSection } from './selection.js';

/** Predictions and what they are worth. */
interface Measured {
  readonly predictions: readonly Prediction[];
  readonly metrics: Readonly<Record<string, number>>;
}

/** The results of an iteration. */
export interface IterationParts {
  readonly before: Measured;
  readonly after: Measured;
  /** Candidates of the model after the training, with their scores: what the attempts were chosen from. */
  readonly pool: readonly Prediction[];
  /** What each way of choosing attempts solves. */
  readonly parts: readonly Contribution[];
  /** How many steps each task was fine-tuned for, 0 = not, and how long that and asking again took. */
  readonly tuning: { readonly steps: number; readonly seconds: number };
  readonly history: TrainingHistory;
  /** New grids for the tasks of the data set. */
  readonly inputs: {
    readonly drawn: number;
    readonly valid: number;
    readonly fresh: number;
    readonly grids: ReadonlyMap<string, readonly { readonly grid: Grid; readonly isNew: boolean }[]>;
  };
  /** The tasks that were predicted. */
  readonly dataset: Dataset;
  /** The prompt kinds that were trained on. */
  readonly kinds: { readonly output: string; readonly input: string };
  /** What else there is to know, by label. */
  readonly facts: Readonly<Record<string, string>>;
  /** Of the subsets that are drawn for plots. */
  readonly seed: number;
}

/** The report of `arclab start`. */
export function iterationReport(parts: IterationParts): Report {
  const { before, after, facts } = parts;
  return {
    title: 'One iteration in miniature',
    lead:
      'A small language model learned rules that it had never seen from tasks made by generators, and ' +
      'was measured on other tasks of the same kinds.',
    tiles: ['accuracy', 'pass_n', 'vote_2'].map((name) => ({
      label: name,
      value: formatPercent(after.metrics[name]!),
      note: `before: ${formatPercent(before.metrics[name]!)}`,
    })),
    facts: Object.entries(facts).map(([label, value]) => ({ label, value })),
    sections: sections(parts),
  };
}

function sections({
  before,
  after,
  pool,
  parts,
  tuning,
  history,
  inputs,
  dataset,
  kinds,
  seed,
}: IterationParts): ReportSection[] {
  const perKind = history.validation.flatMap(({ step, kinds }) =>
    Object.entries(kinds).map(([series, { loss }]) => ({ step, loss, series })),
  );
  const counts = effectOfPredictionCount(after.predictions, dataset, { rng: Rng.of(seed, 'report') });
  return [
    {
      heading: 'Metrics before and after',
      blocks: [{ kind: 'metrics', before: before.metrics, after: after.metrics }],
    },
    {
      heading: 'What each part gives',
      blocks: [
        { kind: 'table', rows: contributionRows(parts), percent: ['solved by 1', 'solved by 2'] },
        {
          kind: 'text',
          text: 'Tasks that the first attempt, and the first two, solve: of the same model, on the same tasks. The difference is that of two attempts, in points, with its 95% interval over the tasks.',
        },
        { kind: 'text', text: aboutTuning(tuning) },
      ],
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
        { kind: 'text', text: isHarder(history.validation.at(-1)?.kinds ?? {}, kinds) },
      ],
    },
    {
      heading: 'Effect of the number of predictions',
      blocks: [{ kind: 'plots', plots: [predictionCountPlot(counts)] }],
    },
    selectionSection(studySelection(pool, dataset, { seed, repeats: 2000 })),
    {
      heading: 'Tasks, predictions and votes',
      blocks: [{ kind: 'tasks', cards: taskCards(pool, dataset, { limit: 12 }) }],
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
            originals: dataset.get(taskId)![0]!.train.map(({ input }) => input),
            generated: grids.filter(({ isNew }) => isNew).map(({ grid }) => grid),
          })),
        },
      ],
    },
  ];
}

/** Where the rows of tuning are from, or how to have them. */
function aboutTuning({ steps, seconds }: IterationParts['tuning']): string {
  if (steps === 0) {
    return 'What fine-tuning on each task by itself gives was not measured in this run: `--tune_steps 32` adds it.';
  }
  return (
    `Tuned per task: before it was asked again, the model learned the train samples of each task for ${steps} steps, ` +
    `from a fresh adapter; that and asking again took ${Math.round(seconds)} s. The submission is without it.`
  );
}

/** Is it harder to generate inputs than outputs? The validation losses answer. */
function isHarder(
  losses: Readonly<Record<string, { loss: number }>>,
  kinds: IterationParts['kinds'],
): string {
  const output = losses[kinds.output]?.loss;
  const input = losses[kinds.input]?.loss;
  if (output === undefined || input === undefined) return '';
  return (
    `An output token costs ${output.toFixed(2)} nats at the end, an input token ${input.toFixed(2)}: ` +
    `${input > output ? 'inputs are harder to predict, because nothing determines them' : 'outputs are harder to predict'}.`
  );
}
