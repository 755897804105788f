import type { Grid } from '../arc/types.js';
import { ARC_PALETTE } from './palette.js';
import { type ColorTarget, takesColors } from './terminal-colors.js';

function rgb(color: string): string {
  return [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)).join(';');
}

/**
 * A grid as text: blocks in 24-bit colours, two characters a cell, where the terminal takes colours; digits
 * for everything else.
 */
export function gridText(
  grid: Grid,
  {
    target = process.stdout,
    env = process.env,
  }: { target?: ColorTarget; env?: Record<string, string | undefined> } = {},
): string {
  if (!takesColors(target, env)) return grid.map((row) => row.join(' ')).join('\n');
  return grid
    .map((row) => `${row.map((color) => `\x1b[48;2;${rgb(ARC_PALETTE[color]!)}m  `).join('')}\x1b[0m`)
    .join('\n');
}

/** Blocks of lines beside each other, as far apart as `gap`; escape sequences take no room. */
export function sideBySide(blocks: readonly string[], gap = '   '): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with a control character
  const visible = (line: string) => line.replace(/\x1b\[[0-9;]*m/g, '').length;
  const columns = blocks.map((block) => block.split('\n'));
  const widths = columns.map((lines) => Math.max(...lines.map(visible)));
  const height = Math.max(0, ...columns.map((lines) => lines.length));
  return Array.from({ length: height }, (_, y) =>
    columns
      .map((lines, i) => {
        const line = lines[y] ?? '';
        return line + ' '.repeat(widths[i]! - visible(line));
      })
      .join(gap)
      .trimEnd(),
  ).join('\n');
}
