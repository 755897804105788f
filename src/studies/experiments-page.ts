/** The page of a folder of runs: their table, their losses, what they measured, and how they compare. */
import { barPlot, lossPlot, type PlotSpec, validationLossPlot } from '../display/plots.js';
import type { Report, ReportSection } from '../display/report.js';
import { historyOf } from '../records/find.js';
import { comparisonRows } from './compare-experiments.js';
import type { ExperimentsResult } from './experiments.js';

/** Curves in one plot; more of them cannot be told apart. */
const MOST_CURVES = 8;

/** The metric that bars show: the first of these that a run has. */
const MAIN_METRICS = ['vote_2', 'vote_1', 'pass_n', 'accuracy'];

/** The name of a run in a plot: its id, and where it is. */
function labelOf(result: ExperimentsResult, i: number): string {
  const { record } = result.runs[i]!;
  const place = result.rows[i]!.run;
  return place === undefined || place === '.' ? record.id : String(place);
}

function plotsOf(result: ExperimentsResult): PlotSpec[] {
  const histories = result.runs.map(historyOf);
  const trained = result.runs
    .flatMap((_, i) => (histories[i]!.train.length > 0 ? [i] : []))
    .slice(0, MOST_CURVES);
  const curves = (part: 'train' | 'validation') =>
    trained.flatMap((i) =>
      histories[i]![part] // JSON has null where a loss was not finite
        .filter(({ loss }) => typeof loss === 'number')
        .map(({ step, loss }) => ({ step, loss, series: labelOf(result, i) })),
    );
  const [train, validation] = [curves('train'), curves('validation')];
  const metric = MAIN_METRICS.find((name) =>
    result.runs.some(({ record }) => record.results[name] !== undefined),
  );
  const bars = result.runs.flatMap(({ record }, i) =>
    metric === undefined || record.results[metric] === undefined
      ? []
      : [{ label: `${labelOf(result, i)} ${record.id.slice(0, 4)}`, value: record.results[metric]! }],
  );
  return [
    ...(train.length > 0 ? [lossPlot(train, { title: 'Training loss' })] : []),
    ...(validation.length > 0 ? [validationLossPlot(validation, { title: 'Validation loss' })] : []),
    ...(bars.length > 0 ? [barPlot(bars, { title: metric!, axisTitle: metric! })] : []),
  ];
}

/** The report of {@link ExperimentsResult}, for `saveReport`. */
export function experimentsPage(result: ExperimentsResult, { title = 'Experiments' } = {}): Report {
  const { runs, rows, columns, comparison } = result;
  const plots = plotsOf(result);
  const sections: ReportSection[] = [
    { heading: 'Runs', blocks: [{ kind: 'table', rows, columns }] },
    ...(plots.length > 0
      ? [{ heading: 'Course and results', blocks: [{ kind: 'plots', plots }] } as const]
      : []),
    ...(comparison === undefined
      ? []
      : [
          {
            heading: 'Comparison',
            blocks: [
              { kind: 'table', rows: comparison.options, caption: 'Options that differ' },
              { kind: 'table', rows: comparison.results, caption: 'Results' },
              {
                kind: 'table',
                rows: comparisonRows(comparison),
                caption: `Points of difference from ${comparison.ids[0]}, with 95% intervals over tasks`,
              },
            ],
          } as const,
        ]),
    {
      heading: 'Commands',
      blocks: [
        { kind: 'code', text: runs.map(({ record }) => `# ${record.id}\n${record.command}`).join('\n\n') },
      ],
    },
  ];
  const done = runs.filter(({ status }) => status === 'done').length;
  return {
    title,
    lead: `${runs.length} runs, ${done} of them done.`,
    sections,
  };
}
