import { mean } from '../evaluation/metrics.js';
import type { PredictionCountRow } from '../evaluation/studies.js';
import { INK, PLOT_COLORS } from './palette.js';

/** A Vega-Lite 5 specification, as plain JSON. */
export type PlotSpec = Record<string, unknown>;

/** Options of all plots. */
export interface PlotOptions {
  title?: string;
  /** Size of the plotting area in pixels (default 380×210). */
  width?: number;
  height?: number;
}

const SCHEMA = 'https://vega.github.io/schema/vega-lite/v5.json';
const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
/** Faint on white and on dark paper. */
const FAINT = 'rgba(128,138,150,0.22)';

/** The style of all plots: no background, few lines, colours that everybody can tell apart. */
export const PLOT_CONFIG = {
  background: 'transparent',
  font: FONT,
  padding: 4,
  view: { stroke: null },
  axis: {
    domain: false,
    ticks: false,
    gridColor: FAINT,
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    labelPadding: 6,
    titlePadding: 8,
    tickCount: 5,
  },
  axisX: { grid: false },
  legend: {
    orient: 'top',
    title: null,
    labelColor: INK,
    labelFontSize: 11,
    labelLimit: 320,
    symbolStrokeWidth: 2.5,
    symbolType: 'stroke',
    // a legend says which colour is which, also where the marks themselves are faint
    symbolOpacity: 1,
    offset: 6,
  },
  title: { anchor: 'start', color: INK, fontSize: 13, fontWeight: 600, offset: 10 },
  line: { strokeWidth: 2, strokeCap: 'round', strokeJoin: 'round' },
  point: { size: 36, filled: true },
  bar: { cornerRadiusEnd: 2 },
  range: { category: PLOT_COLORS },
} as const;

function plot({ title, width = 380, height = 210 }: PlotOptions, rest: PlotSpec): PlotSpec {
  return {
    $schema: SCHEMA,
    ...(title === undefined ? {} : { title }),
    width,
    height,
    ...rest,
    config: PLOT_CONFIG,
  };
}

/** Losses, on an axis that needs no zero. */
const LOSS_AXIS: PlotSpec = {
  field: 'loss',
  type: 'quantitative',
  title: 'loss (nats per answer token)',
  scale: { zero: false, nice: true },
};

/** Training steps, with ticks at whole ones. */
function stepAxis(points: readonly { step: number }[]): PlotSpec {
  const steps = [...new Set(points.map(({ step }) => step))];
  const few = Math.max(...steps) - Math.min(...steps) < 5;
  return {
    field: 'step',
    type: 'quantitative',
    title: 'step',
    scale: { nice: false },
    axis: { format: 'd', ...(few ? { values: steps } : {}) },
  };
}

/** How many legend entries fit beside each other, so that a long one does not widen the plot. */
function legendColumns(labels: readonly string[]): number {
  const widest = Math.max(...labels.map((label) => 34 + 6 * label.length));
  return Math.max(1, Math.min(labels.length, Math.floor(390 / widest)));
}

/** A colour for each series, with a legend only when there are several. */
function colorBy(
  field: string,
  values: readonly unknown[],
  colors: readonly string[] = PLOT_COLORS,
): PlotSpec & { legend: PlotSpec | null } {
  const order = [...new Set(values)];
  return {
    field,
    type: 'nominal',
    title: null,
    scale: { domain: order, range: order.map((_, i) => colors[i % colors.length]) },
    legend: order.length < 2 ? null : { columns: legendColumns(order.map(String)) },
  };
}

/** A point of a curve over training steps. */
export interface LossPoint {
  step: number;
  /** Mean loss of an answer token, in nats. */
  loss: number;
  /** Which curve it belongs to: a run, or a prompt kind. */
  series?: string;
}

/**
 * The mean over `span` points of a series around each point: a mean over the points before would lag behind a
 * falling loss. Towards the ends the span shrinks on both sides alike.
 */
export function smooth(points: readonly LossPoint[], span: number): LossPoint[] {
  const half = Math.floor(Math.max(1, span) / 2);
  const means = new Map<LossPoint, number>();
  for (const name of new Set(points.map(({ series }) => series))) {
    const own = points.filter(({ series }) => series === name);
    for (const [i, point] of own.entries()) {
      const reach = Math.min(half, i, own.length - 1 - i);
      means.set(point, mean(own.slice(i - reach, i + reach + 1).map(({ loss }) => loss)));
    }
  }
  return points.map((point) => ({ ...point, loss: means.get(point)! }));
}

/** Training loss over steps: the raw values faint, their local mean on top. */
export function lossPlot(points: readonly LossPoint[], options: PlotOptions = {}): PlotSpec {
  const raw = points.map((point) => ({ ...point, series: point.series ?? 'training' }));
  const color = colorBy(
    'series',
    raw.map((point) => point.series),
  );
  const x = stepAxis(raw);
  const y = LOSS_AXIS;
  return plot(options, {
    layer: [
      {
        data: { values: raw },
        mark: { type: 'line', strokeWidth: 1, opacity: 0.3 },
        encoding: { x, y, color },
      },
      {
        data: { values: smooth(raw, Math.max(1, Math.round(raw.length / 20))) },
        mark: { type: 'line' },
        encoding: { x, y, color },
      },
    ],
  });
}

/** Validation loss over steps, one curve for each prompt kind. */
export function validationLossPlot(points: readonly LossPoint[], options: PlotOptions = {}): PlotSpec {
  const values = points.map((point) => ({ ...point, series: point.series ?? 'validation' }));
  return plot(options, {
    data: { values },
    mark: { type: 'line', point: true },
    encoding: {
      x: stepAxis(values),
      y: LOSS_AXIS,
      color: colorBy(
        'series',
        values.map((point) => point.series),
      ),
    },
  });
}

/**
 * What k predictions for each test input score: pass_n, vote_2 and vote_1 with one standard deviation around. Often
 * they are equal (one prediction is all three, two are all that vote_2 takes), so what is drawn later is smaller.
 */
export function predictionCountPlot(
  rows: readonly PredictionCountRow[],
  options: PlotOptions = {},
): PlotSpec {
  const names = ['pass_n', 'vote_2', 'vote_1'] as const;
  const values = rows.flatMap((row) =>
    names.map((metric) => ({
      predictions: row.predictions,
      metric,
      mean: row[metric].mean,
      low: Math.max(0, row[metric].mean - row[metric].std),
      high: Math.min(1, row[metric].mean + row[metric].std),
    })),
  );
  const x = {
    field: 'predictions',
    type: 'quantitative',
    title: 'predictions for each test input',
    scale: { type: 'log', base: 2, nice: false },
    axis: { values: rows.map((row) => row.predictions), format: 'd' },
  };
  const percent = (field: string) => ({
    field,
    type: 'quantitative',
    title: 'tasks solved',
    axis: { format: '.0%' },
  });
  const color = colorBy('metric', names);
  return plot(options, {
    data: { values },
    layer: [
      {
        mark: { type: 'area', opacity: 0.15 },
        encoding: { x, y: percent('low'), y2: { field: 'high' }, color },
      },
      ...names.map((metric, i) => ({
        transform: [{ filter: `datum.metric === '${metric}'` }],
        mark: {
          type: 'line',
          strokeWidth: 6 - 2 * i,
          point: { size: 36 * (names.length - i), opacity: 1 },
        },
        encoding: { x, y: percent('mean'), color },
      })),
    ],
  });
}

/** One bar. */
export interface Bar {
  label: string;
  value: number;
  /** Bars of one label with different groups stand together, such as before and after. */
  group?: string;
}

/** How {@link barPlot} writes its values. */
export interface BarPlotOptions extends PlotOptions {
  /** A format of d3: `.1%` for fractions (the default), `.2f`, … */
  format?: string;
  /** Default `score`. */
  axisTitle?: string;
  /** One for each group. */
  colors?: readonly string[];
}

/** Horizontal bars with their values at the end. */
export function barPlot(
  bars: readonly Bar[],
  { format = '.1%', axisTitle = 'score', colors, ...options }: BarPlotOptions = {},
): PlotSpec {
  const values = bars.map((bar) => ({ ...bar, group: bar.group ?? '' }));
  const groups = [...new Set(values.map((bar) => bar.group))];
  const labels = [...new Set(values.map((bar) => bar.label))];
  const rowHeight = groups.length > 1 ? 14 * groups.length + 12 : 24;
  const color = colorBy('group', groups, colors);
  if (color.legend) color.legend = { ...color.legend, symbolType: 'square' };
  const encoding = {
    y: { field: 'label', type: 'nominal', sort: labels, title: null, axis: { labelLimit: 220 } },
    ...(groups.length > 1 ? { yOffset: { field: 'group', type: 'nominal', sort: groups } } : {}),
    x: {
      field: 'value',
      type: 'quantitative',
      title: axisTitle,
      axis: { format: format.endsWith('%') ? '~%' : format, grid: true },
    },
    color,
  };
  return plot(
    // labels and values stand beside the bars: together they are as wide as the other plots
    { width: 270, height: rowHeight * labels.length, ...options },
    {
      data: { values },
      encoding,
      layer: [
        { mark: { type: 'bar' } },
        {
          mark: { type: 'text', align: 'left', dx: 5, fontSize: 11, fill: INK },
          encoding: { text: { field: 'value', type: 'quantitative', format } },
        },
      ],
    },
  );
}
