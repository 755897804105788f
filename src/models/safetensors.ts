import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { openFile } from '../common/disk-folder.js';
import { temporaryName } from '../common/files.js';
import { elementBytes, encodeValues } from './number-formats.js';
import { type HostTensor, SafetensorsReader } from './tensor-file.js';

export type { HostTensor } from './tensor-file.js';

/** A safetensors file of a disk, see {@link SafetensorsReader}. */
export class SafetensorsFile extends SafetensorsReader {
  constructor(path: string) {
    super(path, () => openFile(path));
  }
}

/** Reads all tensors of a file. */
export function readSafetensors(path: string): Map<string, HostTensor> {
  const file = new SafetensorsFile(path);
  try {
    return new Map(Array.from(file.tensors.keys(), (name) => [name, file.read(name)]));
  } finally {
    file.close();
  }
}

/** A tensor to write: its values are asked for when its turn comes, so that one is held at a time. */
export interface TensorToWrite<V = Float32Array | Int32Array> {
  shape: readonly number[];
  /** F32, F16, BF16 or I32. */
  dtype: string;
  values: () => V;
}

/** Writes a file under a temporary name and renames it. */
export function writeSafetensors(
  path: string,
  tensors: Iterable<[string, HostTensor | TensorToWrite]>,
  metadata?: Record<string, string>,
): void {
  const list = Array.from(tensors, ([name, tensor]): [string, TensorToWrite] => {
    if (typeof tensor.values === 'function') return [name, tensor as TensorToWrite];
    const { values } = tensor;
    const dtype = tensor.dtype ?? (values instanceof Int32Array ? 'I32' : 'F32');
    return [name, { shape: tensor.shape, dtype, values: () => values }];
  });
  const file = new SafetensorsOutput(path, list, metadata);
  try {
    for (const [, { values, dtype }] of list) file.append(values(), dtype);
    file.finish();
  } finally {
    file.close();
  }
}

/** {@link writeSafetensors} of values that are still on a device: each is waited for when its turn comes. */
export async function saveSafetensors(
  path: string,
  tensors: Iterable<[string, TensorToWrite<Promise<Float32Array>>]>,
  metadata?: Record<string, string>,
): Promise<void> {
  const list = [...tensors];
  const file = new SafetensorsOutput(path, list, metadata);
  try {
    for (const [, { values, dtype }] of list) file.append(await values(), dtype);
    file.finish();
  } finally {
    file.close();
  }
}

/** A file that is being written: under a temporary name until it is finished. */
class SafetensorsOutput {
  readonly #path: string;
  readonly #temporary: string;
  #descriptor: number | undefined;

  constructor(
    path: string,
    tensors: readonly [string, Pick<TensorToWrite, 'shape' | 'dtype'>][],
    metadata: Record<string, string> = { format: 'pt' },
  ) {
    this.#path = path;
    this.#temporary = temporaryName(path);
    const head = headerBytes(tensors, metadata);
    this.#descriptor = openSync(this.#temporary, 'w');
    try {
      writeFully(this.#descriptor, head);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The values of the next tensor. */
  append(values: Float32Array | Int32Array, dtype: string): void {
    writeFully(this.#descriptor!, encodeValues(values, dtype));
  }

  finish(): void {
    closeSync(this.#descriptor!);
    this.#descriptor = undefined;
    renameSync(this.#temporary, this.#path);
  }

  /** Removes what was not finished. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    rmSync(this.#temporary, { force: true });
  }
}

function headerBytes(
  tensors: readonly [string, Pick<TensorToWrite, 'shape' | 'dtype'>][],
  metadata: Record<string, string>,
): Buffer {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, dtype }] of tensors) {
    const bytes = shape.reduce((product, size) => product * size, 1) * elementBytes(dtype);
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  let text = JSON.stringify(header);
  // the data starts at a multiple of 8 bytes
  text += ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
  const head = Buffer.alloc(8 + Buffer.byteLength(text));
  head.writeBigUInt64LE(BigInt(head.length - 8));
  head.write(text, 8);
  return head;
}

function writeFully(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, Math.min(bytes.length - done, 2 ** 30));
  }
}
