/** @file Sums of tensors over ranks, on the processor or on the GPUs: all of them in one call. */
import { UserError } from '../../common/errors.js';
import * as tf from '../tf.js';
import type { TorchBackend } from '../torch/backend.js';
import { bytesOf, type Collective } from './collective.js';

/** What a step of training asks of the ranks, beside numbers. */
export interface TensorSums {
  /** What carries the tensors, for a person. */
  readonly name: string;
  /** Sums over all ranks; takes the tensors over. All are float32, the same on every rank by name and shape. */
  sum(tensors: tf.NamedTensorMap): Promise<tf.NamedTensorMap>;
  /** Gives the values that variables have on the root to all ranks. */
  spread(variables: readonly tf.Variable[], root: number): Promise<void>;
}

/** Through memory of the host: for the processor's backends. */
export class HostSums implements TensorSums {
  readonly name: string;
  readonly #collective: Collective;
  /** Of the last size: the same every step. */
  #buffer = new Float32Array(0);

  constructor(collective: Collective) {
    this.#collective = collective;
    this.name = collective.name;
  }

  async sum(tensors: tf.NamedTensorMap): Promise<tf.NamedTensorMap> {
    const entries = Object.entries(tensors);
    const values = await this.#pack(entries.map(([, tensor]) => tensor));
    await this.#collective.allReduce(values);
    let end = 0;
    const sums = entries.map(([name, tensor]): [string, tf.Tensor] => {
      end += tensor.size;
      return [name, tf.tensor(values.slice(end - tensor.size, end), tensor.shape, 'float32')];
    });
    tf.dispose(tensors);
    return Object.fromEntries(sums);
  }

  async spread(variables: readonly tf.Variable[], root: number): Promise<void> {
    const values = await this.#pack(variables);
    await this.#collective.broadcast(bytesOf(values), root);
    if (this.#collective.rank === root) return;
    let end = 0;
    for (const variable of variables) {
      end += variable.size;
      const own = values.slice(end - variable.size, end);
      tf.tidy(() => variable.assign(tf.tensor(own, variable.shape, 'float32')));
    }
  }

  /** The elements of tensors one after another, in memory that the next call uses again. */
  async #pack(tensors: readonly tf.Tensor[]): Promise<Float32Array> {
    const size = tensors.reduce((sum, tensor) => sum + tensor.size, 0);
    if (this.#buffer.length < size) this.#buffer = new Float32Array(size);
    let end = 0;
    for (const tensor of tensors) {
      this.#buffer.set((await tensor.data()) as Float32Array, end);
      end += tensor.size;
    }
    return this.#buffer.subarray(0, size);
  }
}

/** What {@link DeviceSums} needs of NCCL. */
export interface DeviceCollective {
  readonly name: string;
  allReduce(numbers: readonly { pointer: bigint; count: number; type: 'float32' }[]): void;
  broadcast(numbers: readonly { pointer: bigint; count: number; type: 'float32' }[], root: number): void;
}

/** On GPUs, in the order of the stream: the host waits for nothing. */
class DeviceSums implements TensorSums {
  readonly name: string;
  readonly #nccl: DeviceCollective;

  constructor(nccl: DeviceCollective) {
    this.#nccl = nccl;
    this.name = nccl.name;
  }

  async sum(tensors: tf.NamedTensorMap): Promise<tf.NamedTensorMap> {
    const entries = Object.entries(tensors);
    const parts = this.#together(
      entries.map(([, tensor]) => tensor),
      (numbers) => this.#nccl.allReduce(numbers),
    );
    tf.dispose(tensors);
    return Object.fromEntries(entries.map(([name], i) => [name, parts[i]!]));
  }

  async spread(variables: readonly tf.Variable[], root: number): Promise<void> {
    const parts = this.#together(variables, (numbers) => this.#nccl.broadcast(numbers, root));
    for (const [i, variable] of variables.entries()) variable.assign(parts[i]!);
    tf.dispose(parts);
  }

  /** Copies tensors into one, does something with its numbers in place, and takes it apart. */
  #together(
    tensors: readonly tf.Tensor[],
    run: (numbers: { pointer: bigint; count: number; type: 'float32' }[]) => void,
  ): tf.Tensor[] {
    const wrong = tensors.find(({ dtype }) => dtype !== 'float32');
    if (wrong) throw new Error(`expected float32 to sum over ranks, found ${wrong.dtype}`);
    return tf.tidy(() => {
      const all = tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1])));
      const { torch } = tf.backend() as TorchBackend;
      torch.tidy(() => {
        const pointer = BigInt(torch.dataPointer((tf.backend() as TorchBackend).handle(all)));
        run([{ pointer, count: all.size, type: 'float32' }]);
        return undefined;
      });
      let end = 0;
      return tensors.map((tensor) => {
        end += tensor.size;
        return tf.reshape(tf.slice(all, [end - tensor.size], [tensor.size]), tensor.shape);
      });
    });
  }
}

/**
 * The way for tensors of the backend that is in use.
 * @throws {UserError} when GPUs lack NCCL, or the ranks are connected by sockets alone and compute on processors
 */
export async function tensorSums(
  collective: Collective,
  share: (id: Uint8Array) => Promise<Uint8Array>,
): Promise<TensorSums> {
  const backend = tf.backend() as Partial<TorchBackend>;
  const torch = tf.getBackend() === 'torch' ? backend.torch : undefined;
  if (torch?.device.type === 'cuda') {
    const [{ Nccl, ncclCandidates }, { requireTorch }] = await Promise.all([
      import('./nccl.js'),
      import('../torch/locate.js'),
    ]);
    const streamOf = () => BigInt(torch.cudaStream());
    streamOf(); // the communicator belongs to the current GPU
    const candidates = ncclCandidates(requireTorch().libraryFolder);
    return new DeviceSums(await Nccl.join(collective, candidates, share, streamOf));
  }
  if (collective.sumsTensors) return new HostSums(collective);
  throw new UserError(
    'gradients on processors are summed by MPI: start the ranks with mpirun, `arclab launch --processes n` or ' +
      'srun --mpi=pmix, or compute on GPUs with --backend torch',
  );
}
