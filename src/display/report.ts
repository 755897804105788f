import { writeFileAtomic } from '../common/files.js';
import { formatPercent } from '../evaluation/metrics.js';
import { escapeXml, short } from './picture.js';
import type { PlotSpec } from './plots.js';
import { renderPlot } from './render-plot.js';
import {
  type GeneratedCard,
  generatedCardHtml,
  inlineSvg,
  type TaskCard,
  taskCardHtml,
} from './report-gallery.js';
import { paletteStrip, REPORT_CSS } from './report-style.js';
import { type HtmlTableOptions, htmlTable, type TableRow } from './tables.js';

/** One thing that a section shows. */
export type ReportBlock =
  /** A paragraph; `words` between backticks are set as code. */
  | { kind: 'text'; text: string }
  /** Text as it is, such as the commands that were run. */
  | { kind: 'code'; text: string }
  /** Fractions by metric name, before and after, with the change. */
  | { kind: 'metrics'; before: Readonly<Record<string, number>>; after: Readonly<Record<string, number>> }
  | ({ kind: 'table'; rows: readonly TableRow[] } & HtmlTableOptions)
  /** Plots beside each other where there is room. */
  | { kind: 'plots'; plots: readonly PlotSpec[] }
  /** Tasks with their predictions and votes; at most `most` candidates each (default 4). */
  | { kind: 'tasks'; cards: readonly TaskCard[]; most?: number }
  /** Generated grids beside originals. */
  | { kind: 'generated'; cards: readonly GeneratedCard[] };

/** A part of the report with its place in the navigation. */
export interface ReportSection {
  readonly heading: string;
  readonly blocks: readonly ReportBlock[];
}

/** A number to see first. */
export interface ReportTile {
  readonly label: string;
  readonly value: string;
  /** A line below the number, such as `before: 0.0%`. */
  readonly note?: string;
}

/** What a report says. */
export interface Report {
  readonly title: string;
  /** What this is about, in a sentence or two. */
  readonly lead?: string;
  readonly tiles?: readonly ReportTile[];
  /** Small facts: the model, the seed, the time it took. */
  readonly facts?: readonly { label: string; value: string }[];
  readonly sections: readonly ReportSection[];
  readonly footer?: string;
}

/** Escaped text in which `words` between backticks are code. */
function inline(text: string): string {
  return escapeXml(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

/** Fewer of these is better. */
const LOWER_IS_BETTER = new Set(['unanswered']);

/** A line from 0 to 100% with a ring where it was and a dot where it is. */
function dumbbell(before: number, after: number): string {
  const x = (fraction: number) => short(8 + 174 * Math.min(1, Math.max(0, fraction)));
  return (
    '<svg class="dumbbell" viewBox="0 0 190 18" aria-hidden="true">' +
    '<path class="track" d="M8 9h174" stroke-width="3" stroke-linecap="round"/>' +
    `<path class="way" d="M${x(before)} 9H${x(after)}" stroke-width="3"/>` +
    `<circle class="from" cx="${x(before)}" cy="9" r="4" stroke-width="2"/><circle class="to" cx="${x(after)}" cy="9" r="5.5"/></svg>`
  );
}

function changeHtml(name: string, before: number, after: number): string {
  const points = 100 * (after - before);
  if (Math.abs(points) < 0.05) return '<span class="same">±0.0</span>';
  const better = points > 0 !== LOWER_IS_BETTER.has(name);
  const sign = points > 0 ? '▲ +' : '▼ −';
  return `<span class="${better ? 'up' : 'down'}">${sign}${Math.abs(points).toFixed(1)}</span>`;
}

function metricsHtml(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
): string {
  const rows = Object.keys(after).map((name) => {
    const now = after[name]!;
    const then = before[name];
    const cells =
      then === undefined
        ? `<td class="n">–</td><td class="n">${formatPercent(now)}</td><td class="n"></td><td></td>`
        : `<td class="n">${formatPercent(then)}</td><td class="n"><b>${formatPercent(now)}</b></td>` +
          `<td class="n">${changeHtml(name, then, now)}</td><td>${dumbbell(then, now)}</td>`;
    return `<tr><th scope="row">${escapeXml(name)}</th>${cells}</tr>`;
  });
  return (
    '<div class="card scroll"><table><thead><tr><th scope="col">metric</th><th scope="col" class="n">before</th>' +
    '<th scope="col" class="n">after</th><th scope="col" class="n">change, points</th><th scope="col">0 to 100%</th></tr></thead>' +
    `<tbody>${rows.join('')}</tbody></table><p class="key">The ring is before, the dot after. Of unanswered, less is better.</p></div>`
  );
}

async function blockHtml(block: ReportBlock): Promise<string> {
  switch (block.kind) {
    case 'text':
      return `<p>${inline(block.text)}</p>`;
    case 'code':
      return `<pre><code>${escapeXml(block.text)}</code></pre>`;
    case 'metrics':
      return metricsHtml(block.before, block.after);
    case 'table':
      return `<div class="card scroll">${htmlTable(block.rows, block)}</div>`;
    case 'plots': {
      const plots: string[] = [];
      for (const spec of block.plots) {
        plots.push(`<figure class="card">${inlineSvg(await renderPlot(spec))}</figure>`);
      }
      return `<div class="plots">${plots.join('')}</div>`;
    }
    case 'tasks':
      return block.cards.map((card) => taskCardHtml(card, block.most)).join('');
    case 'generated':
      return block.cards.map(generatedCardHtml).join('');
  }
}

function heroHtml({ title, lead, tiles = [], facts = [] }: Report): string {
  const tile = ({ label, value, note }: ReportTile) =>
    `<div class="tile"><dt>${escapeXml(label)}</dt><dd>${escapeXml(value)}${note === undefined ? '' : `<small>${escapeXml(note)}</small>`}</dd></div>`;
  const fact = ({ label, value }: { label: string; value: string }) =>
    `<div><dt>${escapeXml(label)}</dt><dd>${escapeXml(value)}</dd></div>`;
  return (
    `<header class="hero"><div>${paletteStrip()}<h1>${escapeXml(title)}</h1>` +
    (lead === undefined ? '' : `<p class="lead">${inline(lead)}</p>`) +
    (tiles.length === 0 ? '' : `<dl class="tiles">${tiles.map(tile).join('')}</dl>`) +
    (facts.length === 0 ? '' : `<dl class="facts">${facts.map(fact).join('')}</dl>`) +
    '</div></header>'
  );
}

/**
 * Makes the report as one HTML file that needs nothing else: style and pictures are inside, nothing is loaded
 * from anywhere, there is no script. Follows the reader's light or dark setting and narrow screens.
 */
export async function renderReport(report: Report): Promise<string> {
  const sections: string[] = [];
  for (const [i, { heading, blocks }] of report.sections.entries()) {
    const html: string[] = [];
    for (const block of blocks) html.push(await blockHtml(block));
    sections.push(`<section id="s${i + 1}"><h2>${escapeXml(heading)}</h2>${html.join('\n')}</section>`);
  }
  const links = report.sections.map(
    ({ heading }, i) => `<li><a href="#s${i + 1}">${escapeXml(heading)}</a></li>`,
  );
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
    `<meta name="color-scheme" content="light dark"><title>${escapeXml(report.title)}</title>`,
    `<style>${REPORT_CSS}</style></head><body>`,
    heroHtml(report),
    links.length > 1 ? `<nav aria-label="Sections"><ul>${links.join('')}</ul></nav>` : '',
    `<main>${sections.join('\n')}</main>`,
    `<footer>${inline(report.footer ?? 'Made by arclab.')}</footer></body></html>`,
    '',
  ].join('\n');
}

/** {@link renderReport}, written to a file. */
export async function saveReport(path: string, report: Report): Promise<void> {
  writeFileAtomic(path, await renderReport(report));
}
