import { messageOf } from '../common/errors.js';
import type { OpenFile } from '../common/folder.js';
import { SafetensorsError } from './errors.js';
import { decodeValues } from './number-formats.js';
import { parseHeader, type TensorEntry } from './safetensors-header.js';

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

/** A safetensors file of which tensors are read one by one, so that it is never held whole. */
export class SafetensorsReader implements TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: OpenFile;
  readonly #dataStart: number;

  /**
   * Opens a file and checks its header.
   * @param path what errors call it
   * @throws {SafetensorsError} when it is missing, truncated or damaged.
   */
  constructor(path: string, open: () => OpenFile) {
    this.path = path;
    try {
      this.#file = open();
    } catch (error) {
      throw new SafetensorsError(`${path}: cannot read safetensors: ${messageOf(error)}`);
    }
    try {
      const { tensors, metadata, dataStart } = readHeader(path, this.#file);
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
    this.#file.read(bytes, this.#dataStart + start);
    const values = decodeValues(bytes, entry.dtype);
    return { shape: entry.shape, values, dtype: entry.dtype };
  }

  close(): void {
    this.#file.close();
  }
}

function readHeader(path: string, file: OpenFile) {
  const { size } = file;
  const damaged = (what: string) => new SafetensorsError(`${path}: not a safetensors file: ${what}`);
  if (size < 8) throw damaged(`it has ${size} bytes, expected at least 8`);
  const lengthBytes = new Uint8Array(8);
  file.read(lengthBytes, 0);
  if (new TextDecoder().decode(lengthBytes) === 'version ') {
    throw damaged('it is a pointer of git-lfs to the weights; fetch them with `git lfs pull`');
  }
  const length = Number(new DataView(lengthBytes.buffer).getBigUint64(0, true));
  if (length > 100_000_000) throw damaged(`its header claims ${length} bytes`);
  const dataStart = 8 + length;
  if (dataStart > size) {
    const what = `its header needs ${dataStart} bytes, the file has ${size}`;
    throw new SafetensorsError(`${path}: truncated: ${what}. Download or copy it again`);
  }
  const text = new Uint8Array(length);
  file.read(text, 8);
  return { ...parseHeader(path, new TextDecoder().decode(text), size - dataStart), dataStart };
}
