/** @file Which operations give other digits when the same program runs again, by backend and device. */

/** An operation whose digits may differ from run to run. */
export interface Unreproducible {
  /** As the backend calls it. */
  readonly operations: readonly string[];
  readonly why: string;
  /** What a person can set so that it no longer does. */
  readonly remedy?: string;
}

/** What a backend promises on a device. */
export interface Reproducibility {
  readonly backend: string;
  readonly device: 'cpu' | 'cuda' | 'gpu';
  /** What has to stay the same for the same digits. */
  readonly given: string;
  readonly exceptions: readonly Unreproducible[];
}

/** Of all backends; `torch` has two devices, and `webgpu` whichever GPU that is. */
export const reproducibility: readonly Reproducibility[] = [
  { backend: 'wasm', device: 'cpu', given: 'nothing: any processor and number of threads', exceptions: [] },
  { backend: 'cpu', device: 'cpu', given: 'the version of Node', exceptions: [] },
  {
    backend: 'torch',
    device: 'cpu',
    // writes to a cache and to rows have one source for each place; nothing is added up by several threads at once
    given: 'PyTorch, processor and number of threads (OMP_NUM_THREADS)',
    exceptions: [],
  },
  {
    backend: 'torch',
    device: 'cuda',
    given: 'PyTorch, driver and kind of GPU',
    exceptions: [
      {
        operations: ['_flash_attention_backward', '_efficient_attention_backward'],
        why: 'gradients of attention are added in the order in which blocks of the GPU are ready, so a training differs in its last bits',
      },
      {
        operations: ['mm', 'bmm', 'linear'],
        why: 'cuBLAS may split a sum differently from call to call',
        remedy: 'CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment keeps it from that',
      },
    ],
  },
  {
    backend: 'tensorflow',
    device: 'cpu',
    given: 'TensorFlow, processor and number of threads',
    exceptions: [],
  },
  {
    backend: 'webgpu',
    device: 'gpu',
    given: 'the package webgpu, driver and kind of GPU',
    exceptions: [
      {
        operations: ['ScatterNd'],
        why: 'with indices of several dimensions, which no flow has, sums are made in the order in which the GPU is ready',
      },
    ],
  },
];

/** What is to be said of a backend on a device, in one line. */
export function describeReproducibility({ backend, device, given, exceptions }: Reproducibility): string {
  const where = `${backend}${device === 'cuda' ? ' on a GPU' : ''}`;
  const except = exceptions.map(({ operations, why }) => `${operations.join(', ')} (${why})`);
  const digits = except.length === 0 ? 'all operations' : `all operations but ${except.join('; ')}`;
  return `${where}: ${digits}, given ${given}`;
}
