import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { messageOf } from '../common/errors.js';
import { systemReason, temporaryName } from '../common/files.js';
import { SafetensorsError } from './errors.js';
import { decodeValues, elementBytes, encodeValues } from './number-formats.js';
import { parseHeader, type TensorEntry } from './safetensors-header.js';

export type { TensorEntry };

/** A tensor on the host. Values are float32 for every floating-point format, int32 for the integers. */
export interface HostTensor {
  shape: number[];
  values: Float32Array | Int32Array;
  /** The format in the file; without it float32 or int32, by the values. */
  dtype?: string;
}

/** A file with tensors by name. */
export interface TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: number[] }>;
  readonly metadata: Readonly<Record<string, string>>;
  read(name: string): HostTensor;
  close(): void;
}

/** A file of which tensors are read one by one, so that it is never held whole. */
export class SafetensorsFile implements TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #descriptor: number;
  readonly #dataStart: number;

  /** Opens a file and checks its header. @throws {SafetensorsError} when it is missing, truncated or damaged. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'r');
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const reason = code === 'ENOENT' ? 'no such file' : (systemReason(error) ?? messageOf(error));
      throw new SafetensorsError(`${path}: cannot read safetensors: ${reason}`);
    }
    try {
      const { tensors, metadata, dataStart } = readHeader(path, this.#descriptor);
      this.tensors = tensors;
      this.metadata = metadata;
      this.#dataStart = dataStart;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Reads one tensor. @throws {SafetensorsError} when it is absent or of a format that is not known. */
  read(name: string): HostTensor {
    const entry = this.tensors.get(name);
    if (!entry) throw new SafetensorsError(`${this.path}: tensor ${name} is missing`);
    const [start, end] = entry.data_offsets;
    const bytes = new Uint8Array(end - start);
    readFully(this.#descriptor, bytes, this.#dataStart + start);
    const values = decodeValues(bytes, entry.dtype);
    return { shape: entry.shape, values, dtype: entry.dtype };
  }

  close(): void {
    closeSync(this.#descriptor);
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

function readHeader(path: string, descriptor: number) {
  const stat = fstatSync(descriptor);
  if (stat.isDirectory()) {
    throw new SafetensorsError(`${path}: cannot read safetensors: it is a folder, expected a file`);
  }
  const { size } = stat;
  const damaged = (what: string) => new SafetensorsError(`${path}: not a safetensors file: ${what}`);
  if (size < 8) throw damaged(`it has ${size} bytes, expected at least 8`);
  const lengthBytes = Buffer.alloc(8);
  readFully(descriptor, lengthBytes, 0);
  const length = Number(lengthBytes.readBigUInt64LE());
  if (lengthBytes.toString('latin1') === 'version ') {
    throw damaged('it is a pointer of git-lfs to the weights; fetch them with `git lfs pull`');
  }
  if (length > 100_000_000) throw damaged(`its header claims ${length} bytes`);
  const dataStart = 8 + length;
  if (dataStart > size) throw truncated(path, `its header needs ${dataStart} bytes, the file has ${size}`);
  const text = Buffer.alloc(length);
  readFully(descriptor, text, 8);
  return { ...parseHeader(path, text.toString('utf8'), size - dataStart), dataStart };
}

function truncated(path: string, what: string): SafetensorsError {
  return new SafetensorsError(`${path}: truncated: ${what}. Download or copy it again`);
}

function readFully(descriptor: number, target: Uint8Array, position: number): void {
  for (let done = 0; done < target.length; ) {
    // one read(2) moves less than 2 GiB
    const count = readSync(
      descriptor,
      target,
      done,
      Math.min(target.length - done, 2 ** 30),
      position + done,
    );
    if (count === 0) throw new SafetensorsError('the file became shorter while it was being read');
    done += count;
  }
}

function writeFully(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(descriptor, bytes, done, Math.min(bytes.length - done, 2 ** 30));
  }
}
