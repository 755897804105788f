/** @file The state of an optimizer split over the ranks of a run (ZeRO stage 1, Rajbhandari et al. 2019). */
import { balance } from '../common/balance.js';
import { bytesOf, type Collective } from '../tensors/collective/collective.js';
import type { TensorSums } from '../tensors/collective/tensor-sums.js';
import type * as tf from '../tensors/tf.js';
import {
  type AdamWOptions,
  type Method,
  type Optimizer,
  type OptimizerTensor,
  ofVariable,
} from './optimizer.js';

/** The ranks, and the way that tensors go between them. */
export interface ShardTeam {
  readonly collective: Pick<Collective, 'rank' | 'size' | 'broadcast'>;
  readonly sums: Pick<TensorSums, 'spread'>;
}

type NamedVariables = readonly (readonly [name: string, variable: tf.Variable])[];

/**
 * An optimizer of which each rank keeps the state of some variables, whole ones, of nearly as many numbers: it updates
 * those from the summed gradient, and gives them to the others. With AdamW the weights are those of one process, bit
 * for bit; Muon orthogonalizes matrices in other stacks, whose last bits may differ with a library.
 */
export class ShardedOptimizer implements Optimizer {
  /** The variables of each rank. */
  readonly #shards: readonly NamedVariables[];
  readonly #own: Optimizer;
  readonly #method: Method;
  readonly #all: ReadonlyMap<string, tf.Variable>;
  readonly #team: ShardTeam;
  /** State of other ranks, on the way to a checkpoint or from one. */
  readonly #others = new Map<string, Float32Array>();

  constructor(
    method: Method,
    variables: ReadonlyMap<string, tf.Variable>,
    options: AdamWOptions,
    team: ShardTeam,
  ) {
    this.#method = method;
    this.#shards = shardsOf(method, variables, team.collective.size);
    this.#all = variables;
    this.#team = team;
    this.#own = new method(new Map(this.#shards[team.collective.rank]), options);
  }

  async update(gradients: tf.NamedTensorMap, step: number, learningRate: number): Promise<void> {
    this.release();
    await this.#own.update(gradients, step, learningRate);
    for (const [root, shard] of this.#shards.entries()) {
      const changed = shard.flatMap(([, variable]) => (gradients[variable.name] ? [variable] : []));
      if (changed.length > 0) await this.#team.sums.spread(changed, root);
    }
  }

  /** All of them, by name; those of other ranks from {@link gather} on, or until {@link scatter}. */
  tensors(): Map<string, OptimizerTensor> {
    const own = this.#own.tensors();
    const first = this.#others;
    return new Map(
      [...this.#all].flatMap(([name, variable]) =>
        ['param', ...this.#method.stateOf(name, variable)].map((kind): [string, OptimizerTensor] => {
          const key = `${kind}.${name}`;
          const tensor = own.get(key) ?? (kind === 'param' ? ofVariable(variable) : undefined);
          const elsewhere = {
            shape: variable.shape,
            async read() {
              const values = first.get(key);
              if (!values) throw new Error(`${key} is on another rank`);
              return values;
            },
            write: (values: Float32Array) => void first.set(key, values),
          };
          return [key, tensor ?? elsewhere];
        }),
      ),
    );
  }

  /** Brings the state of all ranks to rank 0, which has them until the next update. */
  async gather(): Promise<void> {
    const { rank } = this.#team.collective;
    const tensors = this.#own.tensors();
    await this.#passState(async (key, values, owner) => {
      if (rank === owner) values.set(await tensors.get(key)!.read());
      await this.#broadcast(values, owner);
      if (rank === 0) this.#others.set(key, values);
    });
  }

  /** Gives the state that rank 0 has read from a checkpoint to the ranks that they belong to. */
  async scatter(): Promise<void> {
    const { rank } = this.#team.collective;
    const tensors = this.#own.tensors();
    await this.#passState(async (key, values, owner) => {
      if (rank === 0) values.set(this.#others.get(key)!);
      await this.#broadcast(values, 0);
      if (rank === owner) tensors.get(key)!.write(values);
    });
    this.release();
  }

  /** Forgets the state of other ranks. */
  release(): void {
    this.#others.clear();
  }

  /** Does something with each tensor of state that is not on rank 0, one after another: not all have to be in memory at once. */
  async #passState(pass: (key: string, values: Float32Array, owner: number) => Promise<void>): Promise<void> {
    for (const [owner, shard] of this.#shards.entries()) {
      if (owner === 0) continue;
      for (const [name, variable] of shard) {
        for (const kind of this.#method.stateOf(name, variable)) {
          await pass(`${kind}.${name}`, new Float32Array(variable.size), owner);
        }
      }
    }
  }

  #broadcast(values: Float32Array, root: number): Promise<void> {
    return this.#team.collective.broadcast(bytesOf(values), root);
  }

  dispose(): void {
    this.#own.dispose();
  }
}

/** How many numbers are kept of each of some variables. */
const stateSizes = (method: Method, variables: NamedVariables): number[] =>
  variables.map(([name, variable]) => method.stateOf(name, variable).length * variable.size);

/** Whose state each rank keeps: of whole variables, of nearly as many numbers. */
function shardsOf(
  method: Method,
  variables: ReadonlyMap<string, tf.Variable>,
  ranks: number,
): NamedVariables[] {
  const entries = [...variables];
  const sizes = stateSizes(method, entries);
  return balance(sizes, ranks).map((part) => part.map((i) => entries[i]!));
}

/** How many numbers of state the fullest rank keeps, and how many there are. */
export function shardLoad(
  method: Method,
  variables: ReadonlyMap<string, tf.Variable>,
  ranks: number,
): { most: number; total: number } {
  const sizes = shardsOf(method, variables, ranks).map((shard) =>
    stateSizes(method, shard).reduce((sum, size) => sum + size, 0),
  );
  return { most: Math.max(...sizes), total: sizes.reduce((sum, size) => sum + size, 0) };
}
