/** A cell of a script: what its text holds. Outputs and ids are only in notebooks. */
export interface ScriptCell {
  type: 'code' | 'markdown' | 'raw';
  source: string;
  metadata: Record<string, unknown>;
}

/** A notebook as a script in jupytext's percent format holds it. */
export interface PercentScript {
  /** Of the notebook, from the YAML header. */
  metadata: Record<string, unknown>;
  cells: ScriptCell[];
}

/** How lines of text are written in a script. */
export const COMMENT = '//';

/** Comments a line, as text and raw cells have it; the way back is `uncomment`. */
export function comment(line: string): string {
  return line === '' ? COMMENT : `${COMMENT} ${line}`;
}

export function uncomment(line: string): string {
  if (line.startsWith(`${COMMENT} `)) return line.slice(COMMENT.length + 1);
  return line.startsWith(COMMENT) ? line.slice(COMMENT.length) : line;
}

/**
 * Whether the lines of a cell with this metadata are code in a file with this extension (`ipynb` or `ts`): jupytext's
 * `active` metadata, tags such as `active-ipynb`, and cells that are frozen.
 */
export function isActive(metadata: Record<string, unknown>, extension: 'ipynb' | 'ts'): boolean {
  const { run_control: control, tags, active } = metadata;
  if ((control as { frozen?: unknown } | null | undefined)?.frozen === true) return extension === 'ipynb';
  const tag = Array.isArray(tags) ? tags.find((one) => String(one).startsWith('active-')) : undefined;
  if (tag !== undefined) return String(tag).split('-').includes(extension);
  return typeof active !== 'string' || active.split(/[.,]/).includes(extension);
}
