/** @file Moments of AdamW split over the ranks of a run (ZeRO stage 1, Rajbhandari et al. 2019). */
import { balance } from '../common/balance.js';
import { bytesOf, type Collective } from '../tensors/collective/collective.js';
import type { TensorSums } from '../tensors/collective/tensor-sums.js';
import type * as tf from '../tensors/tf.js';
import { AdamW, type AdamWOptions, type Optimizer, type OptimizerTensor, ofVariable } from './optimizer.js';

/** The ranks, and the way that tensors go between them. */
export interface ShardTeam {
  readonly collective: Pick<Collective, 'rank' | 'size' | 'broadcast'>;
  readonly sums: Pick<TensorSums, 'spread'>;
}

type NamedVariables = readonly (readonly [name: string, variable: tf.Variable])[];

/**
 * AdamW of which each rank keeps the moments of some variables, whole ones, of nearly as many weights: it updates those
 * from the summed gradient, and gives them to the others. The weights are those of {@link AdamW}, bit for bit.
 */
export class ShardedAdamW implements Optimizer {
  /** The variables of each rank. */
  readonly #shards: readonly NamedVariables[];
  readonly #own: AdamW;
  readonly #all: ReadonlyMap<string, tf.Variable>;
  readonly #team: ShardTeam;
  /** Moments of other ranks, on the way to a checkpoint or from one. */
  readonly #others = new Map<string, Float32Array>();

  constructor(variables: ReadonlyMap<string, tf.Variable>, options: AdamWOptions, team: ShardTeam) {
    this.#shards = shardsOf(variables, team.collective.size);
    this.#all = variables;
    this.#team = team;
    this.#own = new AdamW(new Map(this.#shards[team.collective.rank]), options);
  }

  async update(gradients: tf.NamedTensorMap, step: number, learningRate: number): Promise<void> {
    this.release();
    this.#own.update(gradients, step, learningRate);
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
        ['param', 'exp_avg', 'exp_avg_sq'].map((kind): [string, OptimizerTensor] => {
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

  /** Brings the moments of all ranks to rank 0, which has them until the next update. */
  async gather(): Promise<void> {
    const { rank } = this.#team.collective;
    const tensors = this.#own.tensors();
    await this.#passMoments(async (key, values, owner) => {
      if (rank === owner) values.set(await tensors.get(key)!.read());
      await this.#broadcast(values, owner);
      if (rank === 0) this.#others.set(key, values);
    });
  }

  /** Gives the moments that rank 0 has read from a checkpoint to the ranks that they belong to. */
  async scatter(): Promise<void> {
    const { rank } = this.#team.collective;
    const tensors = this.#own.tensors();
    await this.#passMoments(async (key, values, owner) => {
      if (rank === 0) values.set(this.#others.get(key)!);
      await this.#broadcast(values, 0);
      if (rank === owner) tensors.get(key)!.write(values);
    });
    this.release();
  }

  /** Forgets the moments of other ranks. */
  release(): void {
    this.#others.clear();
  }

  /** Does something with each moment that is not on rank 0, one after another: not all have to be in memory at once. */
  async #passMoments(
    pass: (key: string, values: Float32Array, owner: number) => Promise<void>,
  ): Promise<void> {
    for (const [owner, shard] of this.#shards.entries()) {
      if (owner === 0) continue;
      for (const [name, { size }] of shard) {
        for (const kind of ['exp_avg', 'exp_avg_sq']) {
          await pass(`${kind}.${name}`, new Float32Array(size), owner);
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

/** Whose moments each rank keeps: whole variables, of nearly as many weights. */
function shardsOf(variables: ReadonlyMap<string, tf.Variable>, ranks: number): NamedVariables[] {
  const entries = [...variables];
  const sizes = entries.map(([, { size }]) => size);
  return balance(sizes, ranks).map((part) => part.map((i) => entries[i]!));
}

/** Of how many weights the fullest rank keeps the moments, and how many there are. */
export function shardLoad(
  variables: ReadonlyMap<string, tf.Variable>,
  ranks: number,
): { most: number; total: number } {
  const sizes = shardsOf(variables, ranks).map((shard) => shard.reduce((sum, [, { size }]) => sum + size, 0));
  return { most: Math.max(...sizes), total: sizes.reduce((sum, size) => sum + size, 0) };
}
