import type { Grid, Task } from '../arc/types.js';
import { scoreGrid } from '../evaluation/grids.js';
import { taskOf } from '../evaluation/metrics.js';
import type { SelectionRuleName } from '../evaluation/selection.js';
import type { Prediction, TaskSet } from '../evaluation/types.js';
import { groupPredictions, rankCandidates } from '../evaluation/voting.js';
import { cellSizeFor, describeGrid, FRAME_MARGIN, type GridOptions, gridSvg } from './grid-svg.js';
import { escapeXml } from './picture.js';
import { countVotes, judge, type PredictedInput } from './task-svg.js';

/** A task in a gallery, with what was predicted for each of its test inputs. */
export interface TaskCard {
  readonly title: string;
  /** What kind of task it is, or anything else to say in a few words. */
  readonly note?: string;
  readonly task: Task;
  /** One for each test input; empty to show the task alone. */
  readonly predicted: readonly PredictedInput[];
}

/** Grids that a model generated, beside some that it was shown. */
export interface GeneratedCard {
  readonly title: string;
  readonly originals: readonly Grid[];
  readonly generated: readonly Grid[];
  /** What to say of each generated grid. */
  readonly labels?: readonly string[];
}

/** The SVG without the namespaces, which HTML does not need. */
export function inlineSvg(svg: string): string {
  return svg.replace(/ xmlns(:\w+)?="[^"]*"/g, '');
}

function figure(grid: Grid, options: GridOptions, label = '', after = ''): string {
  const caption = label === '' ? '' : `<figcaption>${escapeXml(label)}</figcaption>`;
  const title = [label, describeGrid(grid)].filter((part) => part !== '').join(': ');
  return `<figure class="g">${caption}${inlineSvg(gridSvg(grid, { ...options, title }))}${after}</figure>`;
}

const ARROW = '<span aria-hidden="true">→</span>';

function trainPair(input: Grid, output: Grid, cellSize: number): string {
  return `<div class="pair">${figure(input, { cellSize })}${ARROW}${figure(output, { cellSize })}</div>`;
}

/** The test input, the solution, and the best candidates with votes and verdicts. */
function testRow({ input, solution, candidates, unanswered = 0 }: PredictedInput, most: number): string {
  const shown = candidates.slice(0, most);
  const cellSize = cellSizeFor([input, ...(solution ? [solution] : []), ...shown.map((c) => c.grid)], 128);
  const right = solution
    ? figure(solution, { cellSize, margin: FRAME_MARGIN }, 'solution')
    : '<div class="unknown" title="the solution is not known">?</div>';
  const predictions = shown.map(({ grid, votes }) => {
    const { text, options } = judge(grid, solution);
    const kind = options.dashed ? 'wrong' : 'right';
    const after = text === '' ? '' : `<figcaption class="after ${kind}">${escapeXml(text)}</figcaption>`;
    return figure(grid, { cellSize, ...options }, countVotes(votes), after);
  });
  const more = candidates.length - shown.length;
  const rest = [
    ...(more > 0 ? [`${more} more ${more === 1 ? 'candidate' : 'candidates'}`] : []),
    ...(unanswered > 0 ? [`${unanswered} unanswered`] : []),
  ].join(', ');
  const note = rest === '' ? '' : `<figure class="g"><figcaption>${rest}</figcaption></figure>`;
  const nothing =
    shown.length === 0 && rest === ''
      ? '<figure class="g"><figcaption>no predictions</figcaption></figure>'
      : '';
  return (
    `<div class="grids test">${figure(input, { cellSize, margin: FRAME_MARGIN }, 'test input')}<span class="then" aria-hidden="true">→</span>` +
    `${right}<span class="rule"></span>${predictions.join('')}${note}${nothing}</div>`
  );
}

/** Whether, and by which vote, the solutions were found. */
function badge({ candidates, solution }: PredictedInput): string {
  if (solution === undefined) return '';
  const place = candidates.findIndex(({ grid }) => scoreGrid(grid, solution).exact);
  if (place < 0) return '<span class="badge wrong">✗ not found</span>';
  return place < 2
    ? `<span class="badge right">✓ solved by vote ${place + 1}</span>`
    : `<span class="badge">found, but only candidate ${place + 1}</span>`;
}

/** One task as a card. */
export function taskCardHtml({ title, note, task, predicted }: TaskCard, most = 4): string {
  const cellSize = cellSizeFor(
    task.train.flatMap(({ input, output }) => [input, output]),
    84,
  );
  const train = task.train.map(({ input, output }) => trainPair(input, output, cellSize)).join('');
  const alone = task.test.map(({ input, output }) => {
    const right = output ? figure(output, { cellSize }) : '<div class="unknown">?</div>';
    return `<div class="pair">${figure(input, { cellSize })}${ARROW}${right}</div>`;
  });
  const tests =
    predicted.length > 0
      ? predicted.map((one) => testRow(one, most)).join('')
      : `<div class="grids test">${alone.join('')}</div>`;
  return (
    `<article class="card task"><div class="task-head"><h3>${escapeXml(title)}</h3>` +
    (note === undefined ? '' : `<span class="badge">${escapeXml(note)}</span>`) +
    `${predicted.map(badge).join('')}</div><div class="grids">${train}</div>${tests}</article>`
  );
}

/** Generated grids as a card, originals first. */
export function generatedCardHtml({ title, originals, generated, labels }: GeneratedCard): string {
  const cellSize = cellSizeFor([...originals, ...generated], 84);
  const group = (name: string, grids: readonly Grid[], captions: readonly string[] = []) =>
    `<div class="group"><span>${name}</span><div class="grids top">${grids.map((grid, i) => figure(grid, { cellSize }, captions[i])).join('')}</div></div>`;
  return (
    `<article class="card"><div class="task-head"><h3>${escapeXml(title)}</h3></div><div class="grids top wide">` +
    `${group('originals', originals)}${group('generated', generated, labels)}</div></article>`
  );
}

/** How {@link taskCards} chooses. */
export interface TaskCardOptions {
  /** At most so many cards (default 12). */
  limit?: number;
  method?: SelectionRuleName;
  /** What to call a task; its id by default. */
  title?: (taskId: string) => string;
}

/**
 * Cards for predicted tasks: those solved by the two best candidates first, then those that came close; within
 * each the order of the data set.
 */
export function taskCards(
  predictions: readonly Prediction[],
  tasks: TaskSet,
  { limit = 12, method, title = (taskId) => taskId }: TaskCardOptions = {},
): TaskCard[] {
  const groups = groupPredictions(predictions);
  const cards = [...groups].flatMap(([taskId, lists]) => {
    const task = taskOf(tasks, taskId);
    if (task === undefined) return [];
    const predicted = task.test.map(({ input, output }, i): PredictedInput => {
      const list = lists[i] ?? [];
      const unanswered = list.filter(({ grid }) => grid === null).length;
      const candidates = rankCandidates(list, method);
      return output === undefined
        ? { input, candidates, unanswered }
        : { input, solution: output, candidates, unanswered };
    });
    return [{ card: { title: title(taskId), task, predicted }, closeness: closeness(predicted) }];
  });
  return cards
    .sort((a, b) => b.closeness - a.closeness)
    .slice(0, limit)
    .map(({ card }) => card);
}

/** Between 0 (nothing right) and 1 (solved), the mean over test inputs. */
function closeness(predicted: readonly PredictedInput[]): number {
  const best = predicted.map(({ solution, candidates }) =>
    solution === undefined
      ? 0
      : Math.max(0, ...candidates.slice(0, 2).map(({ grid }) => scoreGrid(grid, solution).correctPixels)),
  );
  return best.reduce((sum, value) => sum + value, 0) / Math.max(1, best.length);
}
