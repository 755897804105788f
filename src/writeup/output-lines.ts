import { createHash } from 'node:crypto';
import { plainText } from './export-outputs.js';
import { htmlText, tableRows } from './html-table.js';
import { type CellJson, type OutputJson, sourceText } from './notebook-json.js';

/** A line that a cell showed, with its numbers apart. */
export interface OutputLine {
  readonly text: string;
  /** The line with `#` for each number and `⏱` for what differs from run to run. */
  readonly words: string;
  readonly numbers: readonly number[];
  /** How many times, speeds, dates and amounts of memory the line has. */
  readonly ignored: number;
  /** A digest of the picture that the line belongs to. */
  readonly picture?: string;
}

const UNITS = 'ms|µs|us|ns|s|sec|seconds?|min|minutes?|h|hours?|[kMGT]i?B|bytes';
/** What differs from run to run and machine to machine without meaning anything. */
const VOLATILE = new RegExp(
  [
    String.raw`\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?Z?)?`,
    String.raw`\b\d+(?::\d\d)+(?:\.\d+)?`,
    // 1h07m and 2m05s
    String.raw`\b\d+h\d\dm\b|\b\d+m\d\ds\b`,
    // 5.2 ms, 900 tokens/s, 3.44s/it, eta ?
    String.raw`\b\d[\d,.]*(?:e[+-]?\d+)?\s*(?:[A-Za-z]+ ?\/ ?s|[A-Za-z]+ per second|s\/[a-z]+|${UNITS})(?![\w/])`,
    String.raw`(?<=\beta )\?`,
  ].join('|'),
  'g',
);
const NUMBER = /(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+-]?\d+)?/gi;

function dissect(text: string, picture?: string): OutputLine {
  let ignored = 0;
  const numbers: number[] = [];
  const words = text
    .replace(VOLATILE, () => {
      ignored++;
      return '⏱';
    })
    .replace(NUMBER, (number) => {
      numbers.push(Number(number.replaceAll(',', '').replace('−', '-')));
      return '#';
    })
    .replace(/\s+/g, ' ');
  return { text, words, numbers, ignored, ...(picture !== undefined && { picture }) };
}

function digest(content: string): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

/** What an output shows as text, and what it draws. */
function contentOf(data: Record<string, unknown>): { text: string; picture?: string } {
  const plot = Object.keys(data).find((type) => type.startsWith('application/vnd.vegalite.'));
  if (plot !== undefined) {
    const values = (data[plot] as { data?: { values?: unknown[] } }).data?.values ?? [];
    return { text: values.map((value) => JSON.stringify(value)).join('\n') };
  }
  if (data['text/html'] !== undefined) {
    const html = sourceText(data['text/html']);
    const rows = tableRows(html);
    const text = rows.length > 0 ? rows.map((row) => row.join('  ')).join('\n') : htmlText(html);
    // colours and lengths are results, too
    return /<(svg|img|canvas)\b|style=/.test(html)
      ? { text, picture: html.replace(VOLATILE, '⏱') }
      : { text };
  }
  if (data['text/markdown'] !== undefined) return { text: sourceText(data['text/markdown']) };
  if (data['image/svg+xml'] !== undefined) {
    const svg = sourceText(data['image/svg+xml']);
    return { text: htmlText(svg), picture: svg.replace(VOLATILE, '⏱') };
  }
  const image = Object.keys(data).find((type) => type.startsWith('image/'));
  if (image !== undefined) return { text: image, picture: sourceText(data[image]) };
  if (data['text/plain'] !== undefined) return { text: sourceText(data['text/plain']) };
  return { text: JSON.stringify(data) };
}

/** The lines of a stream's text as a person saw them in the end. */
function linesOf(text: string): string[] {
  return plainText(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/**
 * What can be compared in a cell's outputs: lines of text, rows of tables, data of plots, words in drawings. The
 * standard error comes last, because its place among the other lines differs from run to run.
 */
export function outputLines(cell: CellJson | undefined): OutputLine[] {
  if (cell?.cell_type !== 'code') return [];
  const lines: OutputLine[] = [];
  let stdout = '';
  let stderr = '';
  const endStream = () => {
    lines.push(...linesOf(stdout).map((text) => dissect(text)));
    stdout = '';
  };
  for (const output of cell.outputs) {
    if (output.output_type === 'stream') {
      if (output.name === 'stderr') stderr += sourceText(output.text);
      else stdout += sourceText(output.text);
      continue;
    }
    endStream();
    lines.push(...linesOfOutput(output));
  }
  endStream();
  return [...lines, ...linesOf(stderr).map((text) => dissect(text))];
}

function linesOfOutput(output: Exclude<OutputJson, { output_type: 'stream' }>): OutputLine[] {
  if (output.output_type === 'error')
    return linesOf(`${output.ename}: ${output.evalue}`).map((text) => dissect(text));
  const { text, picture } = contentOf(output.data);
  const [first = '', ...rest] = linesOf(text);
  if (picture === undefined) return (first === '' ? [] : [first, ...rest]).map((line) => dissect(line));
  return [dissect(first, digest(picture)), ...rest.map((line) => dissect(line))];
}
