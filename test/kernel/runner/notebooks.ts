import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { type NotebookDocument, readNotebook } from '../../../kernel/notebook/index.js';

/** A cell as tests write it: its code, or code with tags. */
export type CellSource = string | { source: string; tags: string[] };

/** A folder that is removed after the tests of the file. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-runner-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Writes a notebook of code cells as Jupyter would. @returns its path */
export function writeNotebook(path: string, kernel: string, cells: CellSource[]): string {
  const notebook = {
    cells: cells.map((cell, i) => {
      const { source, tags } = typeof cell === 'string' ? { source: cell, tags: [] } : cell;
      return {
        cell_type: 'code',
        execution_count: null,
        id: `cell-${i}`,
        metadata: tags.length > 0 ? { tags } : {},
        outputs: [],
        source,
      };
    }),
    metadata: { kernelspec: { display_name: kernel, name: kernel } },
    nbformat: 4,
    nbformat_minor: 5,
  };
  writeFileSync(path, `${JSON.stringify(notebook, null, 1)}\n`);
  return path;
}

export const documentAt = (path: string): NotebookDocument => readNotebook(path).document;

/** All that a cell printed, and its results as plain text. */
export function printed(document: NotebookDocument, index: number): string {
  return document.cells[index]!.outputs.map((output) => {
    if (output.output_type === 'stream') return output.text;
    if (output.output_type === 'error') return `${output.ename}: ${output.evalue}`;
    return String(output.data['text/plain']);
  }).join('');
}
