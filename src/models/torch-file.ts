/** Files of `torch.save` with a dict of tensors, such as PEFT's adapter_model.bin. */
import { messageOf } from '../common/errors.js';
import { type OpenFile, readAll } from '../common/folder.js';
import { AdapterError } from './errors.js';
import { decodeValues, elementBytes } from './number-formats.js';
import { PickleError, PickleName, type PickleValue, readPickle } from './pickle.js';
import type { HostTensor, TensorFile } from './tensor-file.js';

/** PyTorch's storages by safetensors' names for what they hold. */
const storages: Readonly<Record<string, string>> = {
  'torch.FloatStorage': 'F32',
  'torch.HalfStorage': 'F16',
  'torch.BFloat16Storage': 'BF16',
  'torch.DoubleStorage': 'F64',
  'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32',
  'torch.ShortStorage': 'I16',
  'torch.CharStorage': 'I8',
  'torch.ByteStorage': 'U8',
  'torch.BoolStorage': 'BOOL',
};

/** Numbers of a file, which several tensors may share. */
class Storage {
  readonly key: string;
  readonly dtype: string;
  readonly count: number;

  constructor(key: string, dtype: string, count: number) {
    this.key = key;
    this.dtype = dtype;
    this.count = count;
  }
}

/** A tensor over a storage, by offset and strides in elements. */
class StoredTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: number[];
  readonly strides: number[];

  constructor(storage: Storage, offset: number, shape: number[], strides: number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }

  get dtype(): string {
    return this.storage.dtype;
  }
}

/**
 * A file that torch.save has written (since PyTorch 1.6: a zip archive with a pickle beside the numbers), of which
 * nothing is run. It is held whole: an adapter is small.
 */
export class TorchFile implements TensorFile {
  readonly path: string;
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata = {};
  readonly #entries: ReadonlyMap<string, Uint8Array>;

  /**
   * @param path what errors call it
   * @throws {AdapterError} when it is missing, damaged, or more than tensors by name
   */
  constructor(path: string, open: () => OpenFile) {
    this.path = path;
    let bytes: Uint8Array;
    try {
      const file = open();
      bytes = readAll(file);
      file.close();
    } catch (error) {
      throw new AdapterError(`${path}: cannot read it: ${messageOf(error)}`);
    }
    try {
      this.#entries = entriesOf(bytes);
      const order = this.#entries.get('byteorder');
      if (order && new TextDecoder().decode(order) !== 'little')
        throw new PickleError('its numbers are not little-endian');
      const pickle = this.#entries.get('data.pkl');
      if (!pickle) throw new PickleError('there is no data.pkl in it');
      this.tensors = tensorsOf(readPickle(pickle, { call, persistent }));
      for (const tensor of this.tensors.values()) this.#check(tensor);
    } catch (error) {
      if (!(error instanceof PickleError)) throw error;
      const name = path.split(/[\\/]/).at(-1)!;
      const target = name.replace(/\.\w+$/, '.safetensors');
      throw new AdapterError(
        `${path}: not a file of tensors by torch.save: ${error.message}; if it can be trusted, convert it beside it: ` +
          `python -c "import torch, safetensors.torch as s; s.save_file(torch.load('${name}'), '${target}')"`,
      );
    }
  }

  /** The values of a tensor in the order of its shape. */
  read(name: string): HostTensor {
    const { storage, offset, shape, strides, dtype } = this.tensors.get(name)!;
    const bytes = this.#entries.get(`data/${storage.key}`)!;
    const all = decodeValues(bytes.slice(0, storage.count * elementBytes(dtype)), dtype);
    const count = shape.reduce((product, size) => product * size, 1);
    const values = all instanceof Float32Array ? new Float32Array(count) : new Int32Array(count);
    for (let i = 0; i < count; i++) {
      let place = offset;
      for (let axis = shape.length - 1, rest = i; axis >= 0; axis--) {
        place += (rest % shape[axis]!) * strides[axis]!;
        rest = Math.floor(rest / shape[axis]!);
      }
      values[i] = all[place]!;
    }
    return { shape, values, dtype };
  }

  close(): void {}

  /** Checks that a tensor lies within the bytes that there are. */
  #check({ storage, offset, shape, strides }: StoredTensor): void {
    const bytes = this.#entries.get(`data/${storage.key}`);
    if (!bytes) throw new PickleError(`there is no data/${storage.key} in it`);
    if (bytes.length < storage.count * elementBytes(storage.dtype))
      throw new PickleError(`data/${storage.key} has ${bytes.length} bytes, which is too few`);
    const count = shape.reduce((product, size) => product * size, 1);
    const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset);
    // a stride of 0 would make many numbers out of few
    if (count > storage.count || (count > 0 && last >= storage.count))
      throw new PickleError(`a tensor of shape [${shape}] reaches beyond data/${storage.key}`);
  }
}

/** What the names of a state dict's pickle do. */
function call(name: string, args: PickleValue[]): PickleValue {
  switch (name) {
    case 'collections.OrderedDict':
      if (args.length === 0) return new Map();
      break;
    case 'torch._utils._rebuild_tensor_v2': {
      const [storage, offset, shape, strides] = args;
      if (storage instanceof Storage && isSize(offset) && isSizes(shape) && isSizes(strides)) {
        if (shape.length === strides.length) return new StoredTensor(storage, offset, shape, strides);
      }
      break;
    }
    case 'torch._utils._rebuild_parameter':
      if (args[0] instanceof StoredTensor) return args[0];
      break;
    default:
      throw new PickleError(`its pickle calls ${name}, which is not part of a dict of tensors`);
  }
  throw new PickleError(`its pickle calls ${name} with what is not expected`);
}

const isSize = (value: PickleValue | undefined): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
const isSizes = (value: PickleValue | undefined): value is number[] =>
  Array.isArray(value) && value.every(isSize);

/** ('storage', type, key, device, count): the device is where it was. */
function persistent(id: PickleValue): Storage {
  const [word, type, key, , count] = Array.isArray(id) ? id : [];
  const dtype = type instanceof PickleName ? storages[type.name] : undefined;
  if (word === 'storage' && dtype && typeof key === 'string' && isSize(count))
    return new Storage(key, dtype, count);
  const what = type instanceof PickleName ? type.name : 'what is no storage';
  throw new PickleError(`its pickle has ${what} in the place of numbers`);
}

function tensorsOf(value: PickleValue): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  if (!(value instanceof Map)) throw new PickleError('it holds no dict');
  for (const [name, tensor] of value) {
    if (typeof name !== 'string' || !(tensor instanceof StoredTensor))
      throw new PickleError(
        `its dict has ${typeof name === 'string' ? name : 'a key'}, which is no tensor by name`,
      );
    tensors.set(name, tensor);
  }
  return tensors;
}

/**
 * The files of a zip archive (APPNOTE.TXT 4.3) as torch.save writes it: in one folder, which is left out of their
 * names, and not compressed.
 */
function entriesOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = () => new PickleError('its zip archive is damaged');
  const isAt = (place: number, signature: number, size: number): boolean =>
    place >= 0 && place + size <= bytes.length && view.getUint32(place, true) === signature;
  let end = bytes.length - 22;
  while (end >= Math.max(0, bytes.length - 22 - 0xffff) && !isAt(end, 0x06054b50, 22)) end--;
  if (!isAt(end, 0x06054b50, 22)) throw new PickleError('it is no zip archive');
  const entries = new Map<string, Uint8Array>();
  let place = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (!isAt(place, 0x02014b50, 46)) throw damaged();
    const [method, size] = [view.getUint16(place + 10, true), view.getUint32(place + 24, true)];
    const [nameLength, extra, comment] = [28, 30, 32].map((i) => view.getUint16(place + i, true)) as [
      number,
      number,
      number,
    ];
    const name = new TextDecoder().decode(bytes.subarray(place + 46, place + 46 + nameLength));
    if (method !== 0) throw new PickleError(`${name} in it is compressed`);
    const start = view.getUint32(place + 42, true);
    if (size === 0xffffffff || start === 0xffffffff) throw new PickleError('it is larger than 4 GB');
    if (!isAt(start, 0x04034b50, 30)) throw damaged();
    const data = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    if (data + size > bytes.length) throw damaged();
    entries.set(name.slice(name.indexOf('/') + 1), bytes.subarray(data, data + size));
    place += 46 + nameLength + extra + comment;
  }
  return entries;
}
