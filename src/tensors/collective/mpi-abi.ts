/**
 * @file What MPI's constants are in a library: the functions are the same everywhere, but each implementation says for
 * itself what `MPI_COMM_WORLD` is.
 */

/** Constants as they are passed to functions: addresses, or numbers. */
export interface MpiConstants {
  readonly world: bigint;
  readonly float: bigint;
  readonly double: bigint;
  readonly byte: bigint;
  readonly int32: bigint;
  readonly sum: bigint;
  /** `MPI_IN_PLACE`. */
  readonly inPlace: bigint;
  /** `MPI_THREAD_SERIALIZED`: calls from any thread, one at a time. */
  readonly serialized: number;
}

/** An ABI, and how handles are passed. */
export interface MpiAbi {
  readonly name: string;
  readonly handle: 'uintptr_t' | 'int';
  readonly constants: MpiConstants;
}

/** Open MPI: handles are the addresses of global objects. */
function openMpi(addressOf: (symbol: string) => bigint): MpiAbi {
  return {
    name: 'Open MPI',
    handle: 'uintptr_t',
    constants: {
      world: addressOf('ompi_mpi_comm_world'),
      float: addressOf('ompi_mpi_float'),
      double: addressOf('ompi_mpi_double'),
      byte: addressOf('ompi_mpi_byte'),
      int32: addressOf('ompi_mpi_int'),
      sum: addressOf('ompi_mpi_op_sum'),
      inPlace: 1n,
      serialized: 2,
    },
  };
}

/** MPICH and those that share its ABI (Intel MPI, MVAPICH, Cray): handles are integers. */
const mpich: MpiAbi = {
  name: 'MPICH',
  handle: 'int',
  constants: {
    world: 0x44000000n,
    float: 0x4c00040an,
    double: 0x4c00080bn,
    byte: 0x4c00010dn,
    int32: 0x4c000405n,
    sum: 0x58000003n,
    inPlace: 0xffffffffffffffffn,
    serialized: 2,
  },
};

/** The standard ABI of MPI 5.0 (chapter 20): handles are pointers with small values. Not tried with a library yet. */
const standard: MpiAbi = {
  name: 'MPI 5',
  handle: 'uintptr_t',
  constants: {
    world: 0x101n,
    float: 0x210n,
    double: 0x214n,
    byte: 0x247n,
    int32: 0x209n,
    sum: 0x21n,
    inPlace: 1n,
    serialized: 2048,
  },
};

/**
 * The ABI of a library.
 * @param file its name: `libmpi_abi.so.0` is the one of the standard
 * @param version what `MPI_Get_library_version` says
 * @param addressOf the address of a symbol, or undefined
 * @returns undefined for one that is not known
 */
export function recogniseAbi(
  file: string,
  version: string,
  addressOf: (symbol: string) => bigint | undefined,
): MpiAbi | undefined {
  if (/libmpi_abi/.test(file)) return standard;
  if (addressOf('ompi_mpi_comm_world') !== undefined) return openMpi((symbol) => addressOf(symbol) ?? 0n);
  return /mpich|intel\(r\) mpi|mvapich|cray mpi/i.test(version) ? mpich : undefined;
}
