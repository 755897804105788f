import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { messageOf } from '../common/errors.js';
import { temporaryName } from '../common/files.js';
import { SafetensorsError } from './errors.js';
import { decodeValues, elementBytes, encodeValues } from './number-formats.js';

/** https://github.com/huggingface/safetensors#format: 8 bytes of header length, a JSON header, the data. */
export interface TensorEntry {
  dtype: string;
  shape: number[];
  /** Where its bytes are, counted from the end of the header. */
  data_offsets: [number, number];
}

/** A tensor on the host. Values are float32 for every floating-point format, int32 for the integers. */
export interface HostTensor {
  shape: number[];
  values: Float32Array | Int32Array;
  /** The format in the file; without it float32 or int32, by the values. */
  dtype?: string;
}

/** A file of which tensors are read one by one, so that it is never held whole. */
export class SafetensorsFile {
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
      const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'no such file' : messageOf(error);
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
export interface TensorToWrite {
  shape: readonly number[];
  /** F32, F16, BF16 or I32. */
  dtype: string;
  values: () => Float32Array | Int32Array;
}

/** Writes a file under a temporary name and renames it. */
export function writeSafetensors(
  path: string,
  tensors: Iterable<[string, HostTensor | TensorToWrite]>,
  metadata: Record<string, string> = { format: 'pt' },
): void {
  const list = Array.from(tensors, ([name, tensor]): [string, TensorToWrite] => {
    if (typeof tensor.values === 'function') return [name, tensor as TensorToWrite];
    const { values } = tensor;
    const dtype = tensor.dtype ?? (values instanceof Int32Array ? 'I32' : 'F32');
    return [name, { shape: tensor.shape, dtype, values: () => values }];
  });
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, dtype }] of list) {
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

  const temporary = temporaryName(path);
  try {
    const descriptor = openSync(temporary, 'w');
    try {
      writeFully(descriptor, head);
      for (const [, tensor] of list) writeFully(descriptor, encodeValues(tensor.values(), tensor.dtype));
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function readHeader(path: string, descriptor: number) {
  const size = fstatSync(descriptor).size;
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
  let header: Record<string, TensorEntry | Record<string, string>>;
  try {
    header = JSON.parse(text.toString('utf8'));
  } catch (error) {
    throw damaged(`its header is not JSON: ${messageOf(error)}`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw damaged('its header is not a JSON object');
  }
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const entry = value as TensorEntry;
    const { dtype, shape, data_offsets: offsets } = entry ?? {};
    if (typeof dtype !== 'string' || !Array.isArray(shape) || !Array.isArray(offsets)) {
      throw damaged(`tensor ${name} lacks its dtype, shape or data_offsets`);
    }
    const [start, end] = offsets;
    const bytes = shape.reduce((product, n) => product * n, elementBytes(dtype, `${path}: tensor ${name}`));
    if (!(start >= 0) || end - start !== bytes) {
      throw damaged(`tensor ${name} has shape [${shape}] of ${dtype} in ${end - start} bytes`);
    }
    if (dataStart + end > size) {
      throw truncated(path, `tensor ${name} ends at byte ${dataStart + end}, the file has ${size}`);
    }
    tensors.set(name, entry);
  }
  const metadata = (header.__metadata__ ?? {}) as Record<string, string>;
  return { tensors, metadata, dataStart };
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
