import { describe, expect, test } from 'vitest';
import {
  barPlot,
  lossPlot,
  type PlotSpec,
  predictionCountPlot,
  smooth,
  validationLossPlot,
} from '../../src/display/plots.js';
import { renderPlot } from '../../src/display/render-plot.js';
import { type Report, renderReport } from '../../src/display/report.js';
import { taskCards } from '../../src/display/report-gallery.js';
import { A, B0, B1, prediction, TASKS } from '../evaluation/example.js';
import { assertWellFormed } from './xml.js';

const points = Array.from({ length: 40 }, (_, i) => ({ step: i * 10, loss: 2 / (1 + i) }));
const spread = (mean: number) => ({ mean, std: 0.1 });
const plots: Record<string, PlotSpec> = {
  loss: lossPlot(points, { title: 'Loss & more' }),
  validation: validationLossPlot(
    points.flatMap((p) => [
      { ...p, series: 'outputs' },
      { ...p, series: 'inputs' },
    ]),
  ),
  predictions: predictionCountPlot(
    [1, 2, 4].map((predictions) => ({
      predictions,
      pass_n: spread(0.5),
      vote_1: spread(0.2),
      vote_2: spread(0.3),
    })),
  ),
  bars: barPlot([
    { label: 'accuracy', value: 0.1, group: 'before' },
    { label: 'accuracy', value: 0.42, group: 'after' },
  ]),
};

describe('plots', () => {
  test.each(Object.keys(plots))('%s is drawn without a browser', async (name) => {
    const svg = await renderPlot(plots[name]!);
    assertWellFormed(svg);
    expect(svg).toMatch(/^<svg role="img" [^>]*viewBox=/);
    expect(svg).not.toMatch(/NaN|undefined|href/);
  });

  test('the title is for readers and listeners, values are written at bars', async () => {
    const svg = await renderPlot(plots.loss!);
    expect(svg).toContain('<title>Loss &amp; more</title>');
    expect(await renderPlot(plots.bars!)).toContain('>42.0%</text>');
  });

  test('where pass_n, vote_2 and vote_1 are equal, each is seen around the next', async () => {
    const rows = [1, 2].map((predictions) => ({
      predictions,
      pass_n: spread(0.5),
      vote_1: spread(0.5),
      vote_2: spread(0.5),
    }));
    const svg = await renderPlot(predictionCountPlot(rows));
    const widths = [
      ...svg.matchAll(
        /<path aria-label="[^"]*metric: (\w+)" role="graphics-symbol" aria-roledescription="line mark"[^>]*stroke-width="(\d+)"/g,
      ),
    ];
    expect(widths.map(([, metric, width]) => [metric, Number(width)])).toEqual([
      ['pass_n', 6],
      ['vote_2', 4],
      ['vote_1', 2],
    ]);
  });

  test('ids of two plots in one page never meet', async () => {
    const ids = async (name: string) =>
      [...(await renderPlot(plots[name]!)).matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    const [a, b] = [await ids('loss'), await ids('bars')];
    expect(a.filter((id) => b.includes(id))).toEqual([]);
  });

  test('smoothing keeps a constant, follows the series apart, and has no pull to zero at the start', () => {
    const flat = smooth(
      [1, 2, 3].flatMap((step) => [
        { step, loss: 5, series: 'a' },
        { step, loss: 1, series: 'b' },
      ]),
      10,
    );
    for (const { loss, series } of flat) expect(loss).toBeCloseTo(series === 'a' ? 5 : 1, 12);
  });

  test('smoothing does not lag behind: a straight line stays where it is, noise goes', () => {
    const line = Array.from({ length: 30 }, (_, step) => ({ step, loss: 9 - step / 4 }));
    for (const [i, { loss }] of smooth(line, 7).entries()) expect(loss).toBeCloseTo(line[i]!.loss, 12);
    const noisy = line.map(({ step }) => ({ step, loss: step % 2 }));
    // three of seven or four of seven
    for (const { loss } of smooth(noisy, 7).slice(3, -3))
      expect(Math.abs(loss - 0.5)).toBeCloseTo(1 / 14, 12);
  });

  test.each(Object.keys(plots))('the axes of %s say what they show', async (name) => {
    const svg = await renderPlot(plots[name]!);
    const titles = {
      loss: ['step', 'loss (nats per answer token)'],
      validation: ['step', 'loss (nats per answer token)'],
      predictions: ['predictions for each test input', 'tasks solved'],
      bars: ['score'],
    }[name]!;
    for (const title of titles) expect(svg).toContain(`>${title}</text>`);
  });

  test('steps are whole numbers, also where there are few', async () => {
    const svg = await renderPlot(lossPlot(points.slice(0, 3).map(({ loss }, step) => ({ step, loss }))));
    const ticks = /aria-label="X-axis[^"]*".*?<\/g><\/g>/.exec(svg)?.[0] ?? '';
    const labels = [...ticks.matchAll(/>([\d.,]+)<\/text>/g)].map(([, label]) => label);
    expect(labels).toEqual(['0', '1', '2']);
  });
});

const predictions = [
  prediction('a', 0, [[1, 2], [3, 0]]),
  prediction('b', 0, B0),
  prediction('b', 0, null),
  prediction('b', 1, B1),
]; // biome-ignore format: short

const report: Report = {
  title: 'Run <1>',
  lead: 'With `code` & more',
  tiles: [{ label: 'vote_2', value: '42.0%', note: 'before: 0.0%' }],
  facts: [{ label: 'seed', value: '7' }],
  sections: [
    {
      heading: 'Metrics',
      blocks: [
        { kind: 'text', text: 'a < b' },
        {
          kind: 'metrics',
          before: { accuracy: 0, unanswered: 0.5 },
          after: { accuracy: 0.25, unanswered: 0.1, vote_2: 0.3 },
        },
        { kind: 'table', rows: [{ file: 'x', bytes: 3 }] },
        { kind: 'code', text: 'npx arclab start' },
      ],
    },
    { heading: 'Plots', blocks: [{ kind: 'plots', plots: Object.values(plots) }] },
    {
      heading: 'Predictions',
      blocks: [
        { kind: 'tasks', cards: taskCards(predictions, TASKS) },
        { kind: 'tasks', cards: [{ title: 'alone', note: 'gravity', task: TASKS.get('a')!, predicted: [] }] },
        {
          kind: 'generated',
          cards: [{ title: 'g', originals: [A], generated: [B0, B1], labels: ['new', '-2.5 nats'] }],
        },
      ],
    },
  ],
};

describe('the report', () => {
  test('is one file: nothing is loaded from anywhere, and nothing runs', async () => {
    const html = await renderReport(report);
    expect(html).not.toMatch(
      /https?:|\/\/[a-z]|url\((?!#)|@import|<script|<link|<img|<iframe| src=|\bon\w+="/i,
    );
    const targets = [...html.matchAll(/href="([^"]*)"/g)].map(([, target]) => target!);
    expect(targets).toEqual(['#s1', '#s2', '#s3']);
    for (const target of targets) expect(html).toContain(`id="${target.slice(1)}"`);
  });

  test('is well-formed and escaped', async () => {
    const html = await renderReport(report);
    const body = /<body>([\s\S]*)<\/body>/.exec(html)![1]!;
    assertWellFormed(body);
    expect(html).toContain('<h1>Run &lt;1&gt;</h1>');
    expect(html).toContain('With <code>code</code> &amp; more');
    expect(html).toContain('prefers-color-scheme:dark');
  });

  test('tells better from worse, also where less is better', async () => {
    const html = await renderReport(report);
    expect(html).toContain('<span class="up">▲ +25.0</span>');
    expect(html).toContain('<span class="up">▼ −40.0</span>');
    expect(html).toMatch(/vote_2<\/th><td class="n">–<\/td><td class="n">30\.0%/);
  });

  test('shows solved tasks first, with votes', async () => {
    const cards = taskCards(predictions, TASKS);
    expect(cards.map(({ title }) => title)).toEqual(['b', 'a']);
    expect(cards[0]!.predicted[0]).toMatchObject({ unanswered: 1, candidates: [{ votes: 1 }] });
    expect(taskCards(predictions, TASKS, { limit: 1 })).toHaveLength(1);
    const html = await renderReport(report);
    expect(html).toContain('✓ solved by vote 1');
    expect(html).toContain('✗ not found');
    expect(html).toContain('✗ 75% of cells');
    expect(html).toContain('<figcaption>-2.5 nats</figcaption>');
  });

  test('is the same every time', async () => {
    // a boolean, because the difference of two long files is no help
    const first = await renderReport(report);
    const second = await renderReport(report);
    expect(first === second).toBe(true);
  });
});
