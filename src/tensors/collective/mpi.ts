/** @file MPI through koffi on the plain C functions of an installed library: nothing is compiled. */
import { basename } from 'node:path';
import koffi from 'koffi';
import { messageOf, UserError } from '../../common/errors.js';
import { mpiAdvice } from './advice.js';
import type { Collective } from './collective.js';
import type { Placement } from './environment.js';
import { type MpiAbi, recogniseAbi } from './mpi-abi.js';

/** Where libraries of each launcher are looked for, by the names that the loader of the system finds. */
const OPEN_MPI = ['libmpi.so.40', 'libmpi.so.80', 'libmpi.dylib'];
const MPICH = ['libmpich.so.12', 'libmpi.so.12', 'libmpi_abi.so.0', 'libmpi.dylib'];

/** The longest text of `MPI_Get_library_version` (MPICH's; others have less). */
const VERSION_BYTES = 8192;
/** Elements of one call, whose counts are C's `int`. */
const MOST = 2 ** 30;

type Library = ReturnType<typeof koffi.load>;

/** A library that was loaded, and how it is spoken to. */
interface Loaded {
  readonly library: Library;
  readonly file: string;
  readonly abi: MpiAbi;
  /** `Open MPI v4.1.4` */
  readonly version: string;
}

/** Loads the library of the launcher. @throws {UserError} when there is none, or none that is known */
function loadMpi(launcher: Placement['launcher']): Loaded {
  const named = process.env.ARCLAB_MPI;
  const files = named
    ? [named]
    : launcher === 'MPICH'
      ? MPICH
      : launcher === 'Open MPI'
        ? OPEN_MPI
        : [...OPEN_MPI, ...MPICH];
  // Debian's MPICH stands on UCX, which replaces functions of memory (such as brk) for networks that read it by
  // themselves. 2 of some 40 trainings crashed in V8's garbage collection before this was set, and none of 14 since,
  // which does not prove that UCX was the cause: 14 others without it ran through, too
  if (launcher === 'MPICH') process.env.UCX_MEM_EVENTS ??= 'n';
  const failures: string[] = [];
  for (const file of files) {
    let library: Library;
    try {
      // the library's own plug-ins look for its symbols
      library = koffi.load(file, { global: true });
    } catch (error) {
      failures.push(messageOf(error));
      continue;
    }
    return recognised(library, file);
  }
  throw new UserError(
    `${launcher} started this process, but its MPI library was not found (${failures.join('; ')}); ${mpiAdvice}`,
  );
}

/** @throws {UserError} for a library whose ABI is not known */
function recognised(library: Library, file: string): Loaded {
  const addressOf = (symbol: string): bigint | undefined => {
    try {
      return BigInt(koffi.address(library.symbol(symbol, 'char')));
    } catch {
      return undefined;
    }
  };
  let version = 'of an unknown version';
  if (addressOf('MPI_Get_library_version') !== undefined) {
    const text = Buffer.alloc(VERSION_BYTES);
    const length = new Int32Array(1);
    library.func('int MPI_Get_library_version(void*, void*)')(text, length);
    // the first line, without what the builder wrote of himself; MPICH's is "MPICH Version: 4.0.2"
    const [first] = text.toString('utf8', 0, length[0]).split(/[\n,]/);
    version = first!
      .trim()
      .replace(/\s*Version:\s*/i, ' ')
      .replace(/\s+/g, ' ');
  }
  const abi = recogniseAbi(basename(file), version, addressOf);
  if (abi) return { library, file, abi, version };
  throw new UserError(
    `${file}: expected the ABI of Open MPI, MPICH or MPI 5, found ${version}; name another library in ARCLAB_MPI`,
  );
}

/** The functions that are called, as C declares them. */
function bindFunctions({ library, abi }: Loaded) {
  const h = abi.handle;
  const bind = (name: string, parameters: string) => library.func(`int ${name}(${parameters})`);
  return {
    init: bind('MPI_Init_thread', 'void*, void*, int, void*'),
    rank: bind('MPI_Comm_rank', `${h}, void*`),
    size: bind('MPI_Comm_size', `${h}, void*`),
    allReduce: bind('MPI_Allreduce', `uintptr_t, void*, int, ${h}, ${h}, ${h}`),
    allGather: bind('MPI_Allgather', `void*, int, ${h}, void*, int, ${h}, ${h}`),
    allGatherV: bind('MPI_Allgatherv', `void*, int, ${h}, void*, void*, void*, ${h}, ${h}`),
    broadcast: bind('MPI_Bcast', `void*, int, ${h}, int, ${h}`),
    barrier: bind('MPI_Barrier', h),
    finalize: bind('MPI_Finalize', ''),
    abort: bind('MPI_Abort', `${h}, int`),
  };
}

/** A call in a thread of its own, so that this one hears signals while ranks wait for each other. */
function inThread(f: ReturnType<Library['func']>, ...values: unknown[]): Promise<number> {
  return new Promise((resolve, reject) => {
    f.async(...values, (error: unknown, code: number) => (error ? reject(error) : resolve(code)));
  });
}

/**
 * The ranks that `mpirun` or `srun` has started. One call at a time: MPI is opened for calls from any thread, but not
 * for several at once.
 */
export class Mpi implements Collective {
  readonly rank: number;
  readonly size: number;
  readonly localRank: number;
  readonly name: string;
  readonly sumsTensors = true;
  readonly #functions: ReturnType<typeof bindFunctions>;
  readonly #abi: MpiAbi;

  private constructor(loaded: Loaded, functions: ReturnType<typeof bindFunctions>, place: Placement) {
    this.#functions = functions;
    this.#abi = loaded.abi;
    this.rank = place.rank;
    this.size = place.size;
    this.localRank = place.localRank;
    this.name = `MPI (${loaded.version})`;
  }

  /**
   * Joins the ranks of this job; once in the life of a process.
   * @throws {UserError} when there is no library, or it sees another job than the environment names
   */
  static async join(place: Placement): Promise<Mpi> {
    const loaded = loadMpi(place.launcher);
    const functions = bindFunctions(loaded);
    const { world, serialized } = loaded.abi.constants;
    const provided = new Int32Array(1);
    check('MPI_Init_thread', functions.init(null, null, serialized, provided));
    const [rank, size] = [new Int32Array(1), new Int32Array(1)];
    check('MPI_Comm_rank', functions.rank(world, rank));
    check('MPI_Comm_size', functions.size(world, size));
    if (size[0] !== place.size || rank[0] !== place.rank) {
      throw new UserError(
        `${place.launcher} started ${place.size} processes, but ${loaded.file} (${loaded.version}) sees ${size[0]}: ` +
          'start them with the mpirun of that library, srun with --mpi=pmix, or name the right library in ARCLAB_MPI',
      );
    }
    if (provided[0]! < serialized) {
      throw new UserError(
        `${loaded.file} (${loaded.version}): expected MPI with threads (MPI_THREAD_SERIALIZED), found level ${provided[0]}`,
      );
    }
    return new Mpi(loaded, functions, place);
  }

  /** Called in this thread: it is short, and another thread would make it several times as long. */
  async allReduce(values: Float32Array | Float64Array): Promise<void> {
    const { inPlace, float, double, sum, world } = this.#abi.constants;
    const type = values instanceof Float32Array ? float : double;
    for (let start = 0; start < values.length; start += MOST) {
      const part = values.subarray(start, start + MOST);
      check('MPI_Allreduce', this.#functions.allReduce(inPlace, part, part.length, type, sum, world));
    }
  }

  async allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    const { byte, int32, world } = this.#abi.constants;
    const { allGather, allGatherV } = this.#functions;
    const lengths = new Int32Array(this.size);
    check(
      'MPI_Allgather',
      await inThread(allGather, Int32Array.of(bytes.length), 1, int32, lengths, 1, int32, world),
    );
    const starts = new Int32Array(this.size);
    for (let i = 1; i < this.size; i++) starts[i] = starts[i - 1]! + lengths[i - 1]!;
    const total = lengths.reduce((sum, length) => sum + length, 0);
    if (total > MOST) throw new Error(`MPI_Allgatherv: ${total} bytes are more than one call takes`);
    // of one byte at least: empty memory has no address
    const all = new Uint8Array(Math.max(1, total));
    const own = bytes.length > 0 ? bytes : new Uint8Array(1);
    check(
      'MPI_Allgatherv',
      await inThread(allGatherV, own, bytes.length, byte, all, lengths, starts, byte, world),
    );
    return Array.from(lengths, (length, i) => all.subarray(starts[i]!, starts[i]! + length));
  }

  async broadcast(bytes: Uint8Array, root: number): Promise<void> {
    const { byte, world } = this.#abi.constants;
    for (let start = 0; start < bytes.length; start += MOST) {
      const part = bytes.subarray(start, start + MOST);
      check('MPI_Bcast', this.#functions.broadcast(part, part.length, byte, root, world));
    }
  }

  async barrier(): Promise<void> {
    check('MPI_Barrier', await inThread(this.#functions.barrier, this.#abi.constants.world));
  }

  async close(): Promise<void> {
    check('MPI_Finalize', this.#functions.finalize());
  }

  abort(code: number): never {
    this.#functions.abort(this.#abi.constants.world, code);
    process.exit(code);
  }
}

/** MPI ends the whole job at most errors by itself. */
function check(name: string, code: number): void {
  if (code !== 0) throw new Error(`${name} failed with error ${code}`);
}
