/** @file What a flow that is shared by several processes asks of them. */

import { balance } from '../../common/balance.js';
import { UserError } from '../../common/errors.js';
import { shown } from '../../common/option-names.js';
import { chooseDevice, findGpus } from '../torch/gpus.js';
import { requireTorch, torchIsPresent } from '../torch/locate.js';
import type { Facts, Sharers } from './alone.js';
import type { Collective } from './collective.js';

/** A message of {@link Ranks.gather}: a value, or why this rank has none. */
type Message = { readonly value: unknown } | { readonly error: string };

/** An error that all ranks know of: the first prints it, and all end. */
export class RanksError extends UserError {
  static override readonly name: string = 'RanksError';
  override name = 'RanksError';
}

/**
 * The processes that share a flow. A flow first comes to an agreement with calls of `agree`, `first` and `gather`, in
 * which a rank that has failed takes part with its error, so that all end with one line. Then it calls {@link start}:
 * from there on a rank that fails ends the others at once.
 */
export class Ranks implements Sharers {
  #hasStarted = false;

  constructor(readonly collective: Collective) {}

  get rank(): number {
    return this.collective.rank;
  }

  get size(): number {
    return this.collective.size;
  }

  /** Whether this is the rank that writes files and speaks. */
  get isFirst(): boolean {
    return this.rank === 0;
  }

  /** A value of plain data from each rank, by rank. @throws {RanksError} when some rank has failed */
  async gather<T>(value: T): Promise<T[]> {
    const messages = await this.#exchange({ value });
    const errors = messages.flatMap((message, rank) => ('error' in message ? [{ rank, ...message }] : []));
    if (errors.length > 0) throw new RanksError(describeFailures(errors, this.size));
    return messages.map((message) => (message as { value: T }).value);
  }

  /** What the first rank computes, everywhere. @throws {RanksError} when it fails */
  async first<T>(compute: () => T | Promise<T>): Promise<T> {
    const [value] = await this.gather(this.isFirst ? ((await compute()) ?? null) : null);
    return value as T;
  }

  /** Runs something on one rank of each machine before the others: what it downloads is there for them. */
  async oneByMachine<T>(run: () => Promise<T>): Promise<T> {
    const early = this.collective.localRank === 0 ? await run() : undefined;
    await this.gather(null);
    return early ?? run();
  }

  /** Runs something on the first rank before the others. */
  async inOrder<T>(run: () => T): Promise<T> {
    const early = this.isFirst ? run() : undefined;
    await this.gather(null);
    return early ?? run();
  }

  /** @throws {RanksError} naming the first fact in which a rank differs from rank 0, on every rank */
  async agree(facts: Facts): Promise<void> {
    const all = await this.gather(facts);
    const [expected] = all;
    for (const [rank, found] of all.entries()) {
      const names = [...new Set([...Object.keys(expected!), ...Object.keys(found)])];
      const name = names.find((key) => JSON.stringify(expected![key]) !== JSON.stringify(found[key]));
      if (name === undefined) continue;
      throw new RanksError(
        `rank ${rank}: found ${name} ${shown(found[name])}, expected ${shown(expected![name])} as on rank 0: all ranks ` +
          'need the same options, data and version',
      );
    }
  }

  /** Says that everything is known to be right: from here on an error of one rank ends the others at once. */
  start(): void {
    this.#hasStarted = true;
  }

  /** Says that the work is done on all ranks. */
  end(): void {
    this.#hasStarted = false;
  }

  /** Whether others would wait for this rank. */
  get isWorking(): boolean {
    return this.#hasStarted;
  }

  /** Leaves the job, when every rank does. */
  async leave(): Promise<void> {
    await this.collective.close();
  }

  /** Which of some items are this rank's, of nearly the same cost as those of every other. */
  share(costs: readonly number[]): number[] {
    return balance(costs, this.size)[this.rank]!;
  }

  /** The device of this rank: where nobody has named one, a GPU of its own if PyTorch computes on GPUs here. */
  deviceOf({ backend, device }: { backend?: string; device?: string }): { device?: string } {
    const name = backend || process.env.ARCLAB_BACKEND || 'torch';
    if (device !== undefined || name !== 'torch' || !torchIsPresent())
      return device === undefined ? {} : { device };
    const { gpu } = chooseDevice(undefined, requireTorch());
    return gpu ? { device: `cuda:${this.collective.localRank % findGpus().gpus.length}` } : {};
  }

  /**
   * Takes part in what the others are about to do with an error, or ends them when work has begun.
   * @returns the one line that says it, on every rank
   */
  async fail(message: string, { say }: { say: (line: string) => void }): Promise<string> {
    if (this.#hasStarted) {
      say(`rank ${this.rank}: ${message}`);
      this.collective.abort(1);
    }
    const messages = await this.#exchange({ error: message });
    const errors = messages.flatMap((other, rank) => ('error' in other ? [{ rank, ...other }] : []));
    return describeFailures(errors, this.size);
  }

  async #exchange(message: Message): Promise<Message[]> {
    const parts = await this.collective.allGather(Buffer.from(JSON.stringify(message)));
    return parts.map((part) => JSON.parse(Buffer.from(part).toString('utf8')) as Message);
  }
}

/** One line: the message itself where all ranks have the same. */
function describeFailures(errors: readonly { rank: number; error: string }[], size: number): string {
  const [first, ...others] = errors;
  const isCommon = errors.length === size && others.every(({ error }) => error === first!.error);
  return isCommon ? first!.error : errors.map(({ rank, error }) => `rank ${rank}: ${error}`).join('; ');
}
