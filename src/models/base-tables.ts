import type { AdapterBase } from './adapter-names.js';
import { decodeValues, encodeValues } from './number-formats.js';
import type { TensorFile } from './tensor-file.js';
import { ModelWeights } from './weights.js';

/** Embeddings or head as they are in the model's files. @param name of either */
export function baseTable(
  { targets, source, config }: Pick<AdapterBase, 'targets' | 'source' | 'config'>,
  name: string,
): { shape: number[]; values: Float32Array } {
  const files = ModelWeights.again(source, config);
  try {
    return files.values(`${targets.get(name)?.tiedTo ?? name}.weight`);
  } finally {
    files.close();
  }
}

/** ‖row‖ of a table: what DoRA's magnitudes are where nothing is changed. */
export function rowNorms({ shape, values }: { shape: number[]; values: Float32Array }): Float32Array {
  const [rows, width] = shape as [number, number];
  return Float32Array.from({ length: rows }, (_, row) => {
    let squares = 0;
    for (let i = row * width; i < (row + 1) * width; i++) squares += values[i]! ** 2;
    return Math.sqrt(squares);
  });
}

/**
 * Whether a tensor of an adapter's file is a table of the base as it is, perhaps in the narrower type that it was
 * trained in: PEFT writes embeddings and head beside adapters on them.
 * @param table the name of the embeddings or of the head
 */
export function isOfBase(file: TensorFile, key: string, table: string, base: AdapterBase): boolean {
  const target = base.targets.get(table);
  const entry = file.tensors.get(key);
  if (!target || target.use === 'projection' || entry?.shape.join() !== target.shape.join()) return false;
  const { values: own } = baseTable(base, table);
  const { values } = file.read(key);
  const isNarrow = entry.dtype === 'BF16' || entry.dtype === 'F16';
  const rounded = isNarrow ? decodeValues(encodeValues(own, entry.dtype), entry.dtype) : own;
  return values.every((value, i) => value === rounded[i]);
}
