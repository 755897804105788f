/**
 * @file Sums of tensors on GPUs: NCCL through koffi on its plain C functions (nccl.h), on the stream that PyTorch computes
 * on. The library is the one that PyTorch's wheels bring. Written after the header and checked against a library that
 * only records its calls: it has not run on GPUs yet.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { messageOf, UserError } from '../../common/errors.js';

/** Bytes of an `ncclUniqueId`. */
const UNIQUE_ID_BYTES = 128;

/** Values of `ncclDataType_t`. */
const NcclType = { uint8: 1, int32: 2, float16: 6, float32: 7, float64: 8, bfloat16: 9 } as const;

/** `ncclSum` of `ncclRedOp_t`. */
const SUM = 0;

/** Numbers on a GPU that lie one after another. */
export interface DeviceNumbers {
  /** The address of the first. */
  readonly pointer: bigint;
  readonly count: number;
  readonly type: keyof typeof NcclType;
}

/** Where NCCL is looked for. @param torchFolder the folder of PyTorch's libraries */
export function ncclCandidates(torchFolder: string): string[] {
  const named = process.env.ARCLAB_NCCL;
  if (named) return [named];
  const wheel = join(torchFolder, '../../nvidia/nccl/lib/libnccl.so.2');
  return [...(existsSync(wheel) ? [wheel] : []), 'libnccl.so.2'];
}

type Library = ReturnType<typeof koffi.load>;

let idType: ReturnType<typeof koffi.struct> | undefined;

function bindFunctions(library: Library) {
  // a type has one name in a process
  idType ??= koffi.struct('ncclUniqueId', { internal: koffi.array('uint8_t', UNIQUE_ID_BYTES) });
  return {
    getVersion: library.func('int ncclGetVersion(void*)'),
    getUniqueId: library.func('int ncclGetUniqueId(void*)'),
    init: library.func('ncclCommInitRank', 'int', ['void *', 'int', idType, 'int']),
    allReduce: library.func(
      'int ncclAllReduce(uintptr_t, uintptr_t, size_t, int, int, uintptr_t, uintptr_t)',
    ),
    broadcast: library.func(
      'int ncclBroadcast(uintptr_t, uintptr_t, size_t, int, int, uintptr_t, uintptr_t)',
    ),
    groupStart: library.func('int ncclGroupStart()'),
    groupEnd: library.func('int ncclGroupEnd()'),
    destroy: library.func('int ncclCommDestroy(uintptr_t)'),
    describe: library.func('const char* ncclGetErrorString(int)'),
  };
}

/** A communicator: one rank's connection to the GPUs of the others. */
export class Nccl {
  readonly name: string;
  readonly #functions: ReturnType<typeof bindFunctions>;
  readonly #streamOf: () => bigint;
  readonly #handle: bigint;

  private constructor(
    name: string,
    functions: ReturnType<typeof bindFunctions>,
    handle: bigint,
    streamOf: () => bigint,
  ) {
    this.name = name;
    this.#functions = functions;
    this.#handle = handle;
    this.#streamOf = streamOf;
  }

  /**
   * Connects the GPUs of all ranks; the current CUDA device is this rank's.
   * @param share gives everybody what rank 0 has: the id of the communicator
   * @param streamOf the CUDA stream that tensors are computed on
   * @throws {UserError} when there is no library, or it refuses
   */
  static async join(
    { rank, size }: { rank: number; size: number },
    candidates: readonly string[],
    share: (id: Uint8Array) => Promise<Uint8Array>,
    streamOf: () => bigint,
  ): Promise<Nccl> {
    const { library, file } = load(candidates);
    const functions = bindFunctions(library);
    const checked = checkWith(functions, file);
    const version = new Int32Array(1);
    checked('ncclGetVersion', functions.getVersion(version));
    const own = new Uint8Array(UNIQUE_ID_BYTES);
    if (rank === 0) checked('ncclGetUniqueId', functions.getUniqueId(own));
    const id = await share(own);
    const communicator = new BigUint64Array(1);
    checked('ncclCommInitRank', functions.init(communicator, size, { internal: Array.from(id) }, rank));
    return new Nccl(`NCCL ${versionText(version[0]!)}`, functions, communicator[0]!, streamOf);
  }

  /** Sums numbers over all ranks in place, in one launch; the order on the stream is kept. */
  allReduce(tensors: readonly DeviceNumbers[]): void {
    const { allReduce } = this.#functions;
    this.#inGroup('ncclAllReduce', tensors, ({ pointer, count, type }) =>
      allReduce(pointer, pointer, count, NcclType[type], SUM, this.#handle, this.#streamOf()),
    );
  }

  /** Gives the root's numbers to all. */
  broadcast(tensors: readonly DeviceNumbers[], root: number): void {
    const { broadcast } = this.#functions;
    this.#inGroup('ncclBroadcast', tensors, ({ pointer, count, type }) =>
      broadcast(pointer, pointer, count, NcclType[type], root, this.#handle, this.#streamOf()),
    );
  }

  close(): void {
    this.#functions.destroy(this.#handle);
  }

  #inGroup(name: string, tensors: readonly DeviceNumbers[], call: (tensor: DeviceNumbers) => number): void {
    const checked = checkWith(this.#functions, this.name);
    checked('ncclGroupStart', this.#functions.groupStart());
    for (const tensor of tensors) checked(name, call(tensor));
    checked('ncclGroupEnd', this.#functions.groupEnd());
  }
}

function load(candidates: readonly string[]): { library: Library; file: string } {
  const failures: string[] = [];
  for (const file of candidates) {
    try {
      return { library: koffi.load(file), file };
    } catch (error) {
      failures.push(messageOf(error));
    }
  }
  throw new UserError(
    `gradients on GPUs need NCCL, which was not found (${failures.join('; ')}): pip install nvidia-nccl-cu12 (or -cu13, as ` +
      'PyTorch asks for), or name the library in ARCLAB_NCCL',
  );
}

function checkWith({ describe }: ReturnType<typeof bindFunctions>, where: string) {
  return (name: string, code: number): void => {
    if (code !== 0) throw new UserError(`${where}: ${name} failed with error ${code}: ${describe(code)}`);
  };
}

/** 22703 → 2.27.3; before 2.9 it was 2708 → 2.7.8. */
export function versionText(code: number): string {
  const [major, minor] = code < 10_000 ? [1000, 100] : [10_000, 100];
  return [Math.floor(code / major), Math.floor((code % major) / minor), code % minor].join('.');
}
