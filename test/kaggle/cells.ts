import { configDefaults } from '../../src/kaggle/config.js';
import type { TemplateCell } from '../../src/kaggle/notebook.js';
import { renderCells } from '../../src/kaggle/render.js';
import { END_OF_SOURCE } from '../../src/kaggle/source.js';
import type { KaggleConfig } from '../../src/kaggle/types.js';

/** The cells of a notebook whose source and packed files are a word each. */
export function renderedCells(config: Partial<KaggleConfig> = {}): TemplateCell[] {
  const facts = {
    bundle: 'bundle',
    commit: 'commit',
    packed: 'sha256',
    packedLength: 6,
    endOfSource: END_OF_SOURCE,
  } as const;
  const about = {
    version: '0',
    date: 'today',
    dirty: false,
    packages: ['koffi'],
    packedFolders: ['src/common'],
    natives: [],
  };
  return renderCells({ ...configDefaults, ...config }, facts, about, 'source', 'packed');
}

/** The source of one of them. */
export function renderedCell(id: string, config: Partial<KaggleConfig> = {}): string {
  return renderedCells(config).find((cell) => cell.id === id)!.source;
}
