import type { AdapterBase } from './adapter-names.js';
import { decodeValues, encodeValues } from './number-formats.js';
import type { TensorFile } from './safetensors.js';
import { ModelWeights } from './weights.js';

/**
 * Whether a tensor of an adapter's file is a table of the base as it is, perhaps in the narrower type that it was
 * trained in: PEFT writes embeddings and head beside adapters on them.
 * @param table the name of the embeddings or of the head
 */
export function isOfBase(
  file: TensorFile,
  key: string,
  table: string,
  { targets, source, config }: AdapterBase,
): boolean {
  const target = targets.get(table);
  const entry = file.tensors.get(key);
  if (!target || target.use === 'projection' || entry?.shape.join() !== target.shape.join()) return false;
  const files = new ModelWeights(source, config);
  try {
    const base = files.values(`${target.tiedTo ?? table}.weight`).values;
    const { values } = file.read(key);
    const isNarrow = entry.dtype === 'BF16' || entry.dtype === 'F16';
    const rounded = isNarrow ? decodeValues(encodeValues(base, entry.dtype), entry.dtype) : base;
    return values.every((value, i) => value === rounded[i]);
  } finally {
    files.close();
  }
}
