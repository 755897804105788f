/** Data by MIME type: text as one string, `application/json` and its like as JSON. */
export type MimeBundle = Record<string, unknown>;

/** An output of a cell as nbformat 4.5 has it, but with text as one string instead of a list of lines. */
export type Output =
  | { output_type: 'stream'; name: string; text: string }
  | { output_type: 'display_data'; data: MimeBundle; metadata: MimeBundle }
  | { output_type: 'execute_result'; data: MimeBundle; metadata: MimeBundle; execution_count: number | null }
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] };

const jsonMime = /^application\/(.*\+)?json$/;
const splitMime = /^(text\/.*|application\/javascript|image\/svg\+xml)$/;

/** Text that nbformat allows to be a list of lines, as one string. */
export function joinLines(text: unknown): unknown {
  return Array.isArray(text) ? text.join('') : text;
}

/** The opposite: lines with their ends, which is what Jupyter writes, because they make readable differences. */
export function splitLines(text: string): string[] {
  return text === '' ? [] : text.split(/(?<=\n)/);
}

/** An output of a valid notebook with its lines joined. */
export function readOutput(raw: Record<string, unknown>): Output {
  if (raw.output_type === 'stream') return { ...raw, text: joinLines(raw.text) } as Output;
  if (raw.output_type === 'error') return raw as Output;
  const data = mapValues(raw.data as MimeBundle, (value, mime) =>
    jsonMime.test(mime) ? value : joinLines(value),
  );
  return { ...raw, data } as Output;
}

/** An output as Jupyter writes it into a file: names sorted, text as lines. */
export function writeOutput(output: Output): unknown {
  if (output.output_type === 'stream') return sorted({ ...output, text: splitLines(output.text) });
  if (output.output_type === 'error') return sorted(output);
  const data = mapValues(output.data, (value, mime) =>
    typeof value === 'string' && splitMime.test(mime) ? splitLines(value) : value,
  );
  return sorted({ ...output, data });
}

function mapValues(bundle: MimeBundle, change: (value: unknown, mime: string) => unknown): MimeBundle {
  return Object.fromEntries(Object.entries(bundle).map(([mime, value]) => [mime, change(value, mime)]));
}

/** The same JSON value with the names of all objects in order, as Python's `sort_keys` has them. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => [name, sorted(item)]),
  );
}
