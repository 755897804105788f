import { createHash } from 'node:crypto';
import { type CellJson, sourceText } from './notebook-json.js';

/** A digest of cells' kinds and sources: says later whether a person has changed them. */
export function blockDigest(cells: readonly CellJson[]): string {
  const content = JSON.stringify(cells.map((cell) => [cell.cell_type, sourceText(cell.source)]));
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}
