/**
 * @file The ranks of a data-parallel run, as a trainer sees them. Every rank knows the whole global batch, because the
 * n-th sample is a pure function of seed and n; it takes its own part of it, and the gradients are summed. So the batch
 * of any number of ranks is that of one process.
 */
import { createHash } from 'node:crypto';
import { balance } from '../common/balance.js';
import { fingerprintOf } from '../common/fingerprint.js';
import { OptionError } from '../common/option-names.js';
import type { Decoder } from '../models/index.js';
import type { Facts } from '../tensors/collective/alone.js';
import { bytesOf } from '../tensors/collective/collective.js';
import { Ranks } from '../tensors/collective/ranks.js';
import { type TensorSums, tensorSums } from '../tensors/collective/tensor-sums.js';
import * as tf from '../tensors/tf.js';
import { Muon } from './muon.js';
import { AdamW, type AdamWOptions, type Method, type Optimizer } from './optimizer.js';
import type { FineTuneConfig } from './options.js';
import type { TrainingSample } from './sample.js';
import { ShardedOptimizer, shardLoad } from './sharded-optimizer.js';
import type { LossTally } from './tally.js';
import type { SharedBatch } from './trainer.js';
import type { LoadedDatasets } from './training-data.js';

/** Options that may differ between ranks. */
const OWN_OPTIONS = new Set(['device', 'workers', 'verbose']);

/** The processes that share a fine-tuning. */
export class TrainingRanks extends Ranks {
  /**
   * Makes sure that all ranks do the same, before a model is loaded.
   * @throws {OptionError} when some rank would have no sample of a global batch
   * @throws {RanksError} when the ranks differ in options or data
   */
  async agreeOnRun(config: FineTuneConfig, loaded: LoadedDatasets): Promise<void> {
    if (this.size > config.batchSize) {
      throw new OptionError('batchSize', {
        expected: `at least one sample for each of ${this.size} ranks`,
        found: config.batchSize,
        hint: 'give a larger one, or start fewer',
      });
    }
    const options = Object.entries(config).filter(([name]) => !OWN_OPTIONS.has(name));
    await this.agree({
      ...Object.fromEntries(options.map(([name, value]) => [`\`${name}\``, value])),
      ...Object.fromEntries(
        [...loaded].map(([path, dataset]) => [`data set ${path}`, fingerprintOf(dataset)]),
      ),
    } satisfies Facts);
  }

  /**
   * The ranks as a trainer sees them, all with the weights of the first.
   * @throws {UserError} when gradients cannot be summed, see `tensorSums`
   */
  async team(
    decoder: Decoder,
    config: Pick<FineTuneConfig, 'useLora' | 'optim'>,
    note: (text: string) => void,
  ): Promise<Team> {
    // a model takes some ranks longer to load; from here on they keep step
    await this.gather(null);
    const shards = !config.useLora;
    const share = async (id: Uint8Array) => Uint8Array.from(await this.first(() => [...id]));
    const team = new Team(this, await tensorSums(this.collective, share), { shardsState: shards });
    const variables = decoder.trainableVariables();
    note(`${this.size} ranks share each batch; gradients go over ${team.sums.name}`);
    if (shards)
      note(describeShards(shardLoad(methodOf(config.optim), variables, this.size), this.size, config.optim));
    // a fresh adapter may be computed from the base, which other processors do with other digits
    if (config.useLora) await team.sums.spread([...variables.values()], 0);
    return team;
  }
}

/** How a trainer shares its steps; see the top of this file. */
export class Team implements SharedBatch {
  readonly ranks: Ranks;
  readonly sums: TensorSums;
  readonly #shardsState: boolean;

  constructor(ranks: Ranks, sums: TensorSums, { shardsState }: { shardsState: boolean }) {
    this.ranks = ranks;
    this.sums = sums;
    this.#shardsState = shardsState;
  }

  get rank(): number {
    return this.ranks.rank;
  }

  get size(): number {
    return this.ranks.size;
  }

  /** This rank's part of samples: of nearly as many tokens as every other. */
  share<T extends { readonly tokens: ArrayLike<number> }>(samples: readonly T[]): T[] {
    const costs = samples.map(({ tokens }) => tokens.length);
    return balance(costs, this.size)[this.rank]!.map((index) => samples[index]!);
  }

  /** Sums gradients over the ranks, in one call; takes them over. */
  sumGradients(gradients: tf.NamedTensorMap): Promise<tf.NamedTensorMap> {
    return this.sums.sum(gradients);
  }

  /** Adds up what the ranks have counted, into everybody's tally. @param samples all, which this rank has a part of */
  async sumTally({ state }: LossTally, samples: readonly TrainingSample[]): Promise<void> {
    const kinds = new Map(samples.map(({ kind, dataset }) => [`${kind}/${dataset}`, { kind, dataset }]));
    const keys = [...kinds.keys()].sort();
    const sums = keys.flatMap((key) => [state.sums[key]?.sum ?? 0, state.sums[key]?.labels ?? 0]);
    const [weighted, ...all] = await this.#sum(state.weighted, ...sums);
    state.weighted = weighted!;
    for (const [i, key] of keys.entries()) {
      state.sums[key] = { ...kinds.get(key)!, sum: all[2 * i]!, labels: all[2 * i + 1]! };
    }
  }

  /** Whether something is so on any rank, such as that it was asked to stop. */
  async any(condition: boolean): Promise<boolean> {
    return (await this.#sum(condition ? 1 : 0))[0]! > 0;
  }

  /** The number that the first rank has: what depends on a clock is decided once. */
  async ofFirst(value: number): Promise<number> {
    return (await this.#sum(this.rank === 0 ? value : 0))[0]!;
  }

  async #sum(...numbers: number[]): Promise<Float64Array> {
    const sums = Float64Array.from(numbers);
    await this.ranks.collective.allReduce(sums);
    return sums;
  }

  /** An optimizer whose state is split over the ranks, where it trains all weights. */
  optimizer(
    method: Method,
    variables: ReadonlyMap<string, tf.Variable>,
    options: AdamWOptions,
  ): ShardedOptimizer | undefined {
    if (!this.#shardsState) return undefined;
    return new ShardedOptimizer(method, variables, options, {
      collective: this.ranks.collective,
      sums: this.sums,
    });
  }

  /** Gives what the first rank has restored to all. */
  async spreadState(optimizer: Optimizer): Promise<void> {
    const { collective } = this.ranks;
    const isSharded = optimizer instanceof ShardedOptimizer;
    for (const [name, tensor] of optimizer.tensors()) {
      if (isSharded && !name.startsWith('param.')) continue;
      const values =
        this.rank === 0 ? await tensor.read() : new Float32Array(tf.util.sizeFromShape(tensor.shape));
      await collective.broadcast(bytesOf(values), 0);
      if (this.rank !== 0) tensor.write(values);
    }
    if (isSharded) await optimizer.scatter();
  }

  /**
   * Brings what a checkpoint needs to the first rank.
   * @throws {Error} when the adapters of the ranks are no longer the same
   */
  async beforeSaving(optimizer: Optimizer, decoder: Decoder): Promise<void> {
    if (optimizer instanceof ShardedOptimizer) {
      await optimizer.gather();
      return;
    }
    const hash = createHash('sha256');
    for (const variable of decoder.trainableVariables().values()) hash.update(bytesOf(await variable.data()));
    const bytes = await this.ranks.collective.allGather(hash.digest());
    const different = bytes.findIndex((digest) => Buffer.compare(digest, bytes[0]!) !== 0);
    if (different > 0) throw new Error(`the weights of rank ${different} are not those of rank 0 any more`);
  }
}

/** What `optim` trains with. */
const methodOf = (optim: FineTuneConfig['optim']): Method => (optim === 'muon' ? Muon : AdamW);

/** What it saves that each rank keeps the optimizer's state of a part of the weights. */
function describeShards(
  { most, total }: { most: number; total: number },
  ranks: number,
  optim: FineTuneConfig['optim'],
): string {
  const bytes = optim === 'adamw_8bit' ? 1 : 4;
  const megabytes = (numbers: number) => `${((bytes * numbers) / 1e6).toPrecision(3)} MB`;
  return (
    `the optimizer's state is split over ${ranks} ranks (ZeRO-1): at most ${megabytes(most)} on each in place of ` +
    megabytes(total)
  );
}
