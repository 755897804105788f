/** A script and the notebook that it is paired with: text from the script, outputs from the notebook. */
import { isDeepStrictEqual } from 'node:util';
import { splitLines } from '../outputs.js';
import { cellId } from '../upgrade.js';
import type { PercentScript, ScriptCell } from './cell.js';
import { ONLY_IN_NOTEBOOKS } from './header.js';
import { NOT_IN_SCRIPTS } from './script.js';

type Json = Record<string, unknown>;

/** A cell of a notebook as the file has it. */
type CellJson = Json & { cell_type: ScriptCell['type']; id: string; metadata: Json; source: string[] };

/** What is needed of the notebook that was there before. */
export interface Earlier {
  metadata: Readonly<Json>;
  cells: readonly { type: string; source: string }[];
  /** Its cells as the file has them. */
  json: readonly Json[];
}

/**
 * A notebook of nbformat 4.5 with the cells of a script. A cell that the earlier notebook has as well keeps its id,
 * what it has shown and how; one whose text has changed keeps its id.
 */
export function combine({ metadata, cells }: PercentScript, earlier: Earlier | undefined): Json {
  const partners = match(cells, earlier?.cells ?? []);
  const taken = new Set<string>(earlier?.json.map(({ id }) => String(id)));
  const combined = cells.map((cell, i) => {
    const partner = partners[i] === undefined ? undefined : earlier!.json[partners[i]]!;
    return combineCell(cell, partner, i, taken);
  });
  const kept = Object.entries(earlier?.metadata ?? {}).filter(([name]) => ONLY_IN_NOTEBOOKS.includes(name));
  return {
    cells: combined,
    metadata: { ...metadata, ...Object.fromEntries(kept) },
    nbformat: 4,
    nbformat_minor: 5,
  };
}

function combineCell(
  { type, source, metadata }: ScriptCell,
  partner: Json | undefined,
  position: number,
  taken: Set<string>,
): CellJson {
  const shown = Object.entries((partner?.metadata as Json | undefined) ?? {}).filter(([name]) =>
    NOT_IN_SCRIPTS.includes(name),
  );
  const { lines_to_next_cell: _, ...kept } = metadata;
  const cell = {
    cell_type: type,
    id: (partner?.id as string | undefined) ?? cellId(position, source, taken),
    metadata: { ...Object.fromEntries(shown), ...kept },
    source: splitLines(source),
  };
  if (type !== 'code')
    return { ...cell, ...(partner?.attachments ? { attachments: partner.attachments } : {}) };
  const isSame = partner !== undefined && isDeepStrictEqual(joined(partner.source), source);
  const { outputs = [], execution_count: count = null } = isSame ? partner : {};
  return { ...cell, outputs, execution_count: count };
}

function joined(source: unknown): string {
  return Array.isArray(source) ? source.join('') : String(source);
}

/** For each cell of the script the index of its cell in the notebook: the same text in the same order, then the same place. */
function match(cells: readonly ScriptCell[], earlier: Earlier['cells']): (number | undefined)[] {
  const isSame = (i: number, j: number) =>
    cells[i]!.type === earlier[j]!.type && cells[i]!.source === earlier[j]!.source;
  const common = longestCommon(cells.length, earlier.length, isSame);
  const partners: (number | undefined)[] = cells.map(() => undefined);
  for (const [i, j] of common) partners[i] = j;
  // between two cells that are the same, those of one type in their order
  let [from, left] = [0, 0];
  for (const [i, j] of [...common, [cells.length, earlier.length] as const]) {
    const free = Array.from({ length: j - left }, (_, k) => left + k);
    for (let at = from; at < i; at++) {
      const k = free.findIndex((one) => earlier[one]!.type === cells[at]!.type);
      if (k < 0) continue;
      partners[at] = free[k];
      free.splice(0, k + 1);
    }
    [from, left] = [i + 1, j + 1];
  }
  return partners;
}

/** The longest list of pairs that are the same and in order. */
function longestCommon(n: number, m: number, isSame: (i: number, j: number) => boolean): [number, number][] {
  const lengths = Array.from({ length: n + 1 }, () => new Uint32Array(m + 1));
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      lengths[i]![j] = isSame(i, j)
        ? lengths[i + 1]![j + 1]! + 1
        : Math.max(lengths[i + 1]![j]!, lengths[i]![j + 1]!);
    }
  }
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < n && j < m; ) {
    if (isSame(i, j)) pairs.push([i++, j++]);
    else if (lengths[i + 1]![j]! >= lengths[i]![j + 1]!) i++;
    else j++;
  }
  return pairs;
}
