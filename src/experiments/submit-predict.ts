import { messageOf } from '../common/errors.js';
import type { SubmitLedger } from './submit-ledger.js';
import { type SubmitWorker, WorkerDied } from './submit-process.js';
import type { Item } from './submit-protocol.js';

/*
 * How predictions are shared out:
 * - one queue, in rounds: every test input's first prediction, then every one's second, … A process takes
 *   the next few, so whenever time ends all inputs have had their fair share. Who is asked together is settled
 *   beforehand, because the last digit of a log-probability may depend on it;
 * - every answer is kept as soon as it is there. When a request fails, what is left of it is halved and asked
 *   again, until the item that cannot be done stands alone;
 * - a task with a failure is asked alone from then on, and dropped after the second;
 * - a process that ends is started again. One that ends again and again without an answer is given up, and
 *   the others do its work;
 * - a model that answers nothing at all makes way for the next of its list: the fine-tuned adapter, the
 *   given one, none.
 */

/** Tasks that share a model, and the adapters to try for them, best first; null is the base alone. */
export interface TaskGroup {
  readonly taskIds: ReadonlySet<string>;
  readonly adapters: readonly (string | null)[];
}

/** A place for a process. */
export interface Slot {
  /** For messages, such as `process 1 (cuda:0)`. */
  readonly name: string;
  readonly device?: string;
}

/** What {@link predictAll} needs. */
export interface PredictAllOptions {
  /** In the order in which they are to be made. */
  readonly items: readonly Item[];
  readonly groups: readonly TaskGroup[];
  readonly slots: readonly Slot[];
  readonly start: (slot: Slot) => Promise<SubmitWorker>;
  readonly batchSize: number;
  readonly ledger: Pick<SubmitLedger, 'add' | 'fail'>;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
  readonly onNote: (text: string) => void;
  /** Told that an item is done, with an answer or without. */
  readonly onItem: (item: Item) => void;
}

/** Items that are asked together, in batches: few enough to share work evenly, many enough to keep a batch full. */
const MOST_BATCHES = 4;
/** Work is cut into at least so many pieces, as far as a piece fills a batch. */
const PIECES = 16;
/** So many items that failed alone, and no answer, mean that it is the model that fails. */
const HOPELESS = 3;
/** A process may end so often in a row without an answer in between; halving a request needs a few. */
const MOST_DEATHS = 8;
/** A task is given up after so many failures. */
const MOST_STRIKES = 2;

/** Items that are asked together. */
interface Chunk {
  readonly group: Group;
  readonly items: readonly Item[];
}

/** A group with what has happened to it. */
class Group {
  readonly adapters: (string | null)[];
  readonly taskIds: ReadonlySet<string>;
  /** With the present adapter: answers, items that failed alone, and processes that ended while loading it. */
  answers = 0;
  struck: { item: Item; message: string }[] = [];
  loadDeaths = 0;

  constructor({ taskIds, adapters }: TaskGroup) {
    this.taskIds = taskIds;
    this.adapters = [...adapters];
  }

  strikes(taskId: string): number {
    return this.struck.filter(({ item }) => item.taskId === taskId).length;
  }
}

/** Makes predictions until there is nothing left to do, nobody left to do it, or the signal. */
export async function predictAll(options: PredictAllOptions): Promise<void> {
  if (!options.signal.aborted) await new Dispatcher(options).run();
}

class Dispatcher {
  readonly #options: PredictAllOptions;
  readonly #groups: readonly Group[];
  readonly #workers = new Set<SubmitWorker>();
  #queue: Chunk[];
  #inFlight = 0;
  #wake: (() => void)[] = [];

  constructor(options: PredictAllOptions) {
    this.#options = options;
    this.#groups = options.groups.map((group) => new Group(group));
    this.#queue = cut(options, this.#groups);
  }

  async run(): Promise<void> {
    const { signal, slots } = this.#options;
    const stopped = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const finished = Promise.all(slots.map((slot) => this.#serve(slot)));
    await Promise.race([finished, stopped]);
    for (const worker of this.#workers) worker.kill('the submission ends');
    this.#notify();
    for (const { struck } of this.#groups) {
      for (const { item, message } of struck) {
        const { taskId, testIndex } = item;
        this.#options.ledger.fail({ stage: 'predict', taskId, testIndex, message });
      }
    }
  }

  async #serve(slot: Slot): Promise<void> {
    const { signal, ledger, onNote } = this.#options;
    let worker: SubmitWorker | undefined;
    let loaded: { group: Group; adapter: string | null } | undefined;
    let deaths = 0;
    while (!signal.aborted && deaths < MOST_DEATHS) {
      const chunk = await this.#next(loaded?.group);
      if (!chunk || signal.aborted) return;
      const { group } = chunk;
      const left = new Set(chunk.items);
      try {
        if (!worker) {
          worker = await this.#options.start(slot);
          this.#workers.add(worker);
          if (signal.aborted) return worker.kill('the submission ends');
          loaded = undefined;
        }
        if (loaded?.group !== group || loaded.adapter !== group.adapters[0]) {
          loaded = undefined;
          loaded = await this.#load(worker, group);
        }
        if (!loaded) continue; // the group has no model left: its items are gone
        await worker.request({ type: 'predict', items: chunk.items }, (reply) => {
          if (reply.type !== 'prediction' || signal.aborted) return;
          const item = chunk.items[reply.index]!;
          left.delete(item);
          deaths = 0;
          if (reply.prediction) {
            group.answers += 1;
            ledger.add(item, reply.prediction);
          } else ledger.fail({ stage: 'predict', ...input(item), message: 'the prompt is too long' });
          this.#options.onItem(item);
        });
      } catch (error) {
        if (signal.aborted) return;
        const { message } = error as Error;
        if (error instanceof WorkerDied || !worker) {
          deaths += 1;
          ledger.fail({ stage: 'process', message: `${slot.name}: ${message}` });
          onNote(`${slot.name}: ${message}`);
          if (worker) this.#workers.delete(worker);
          const loading = worker !== undefined && loaded === undefined;
          if (loading && ++group.loadDeaths >= 2) this.#giveUp(group, bestOf(group), message);
          if (!worker || loading) this.#queue.unshift({ group, items: [...left] });
          else this.#retry(group, loaded!.adapter, [...left], message);
          worker = undefined;
        } else this.#retry(group, loaded?.adapter ?? null, [...left], messageOf(error));
      } finally {
        this.#inFlight -= 1;
        this.#notify();
      }
    }
    if (signal.aborted) return;
    const message = `${slot.name} ended ${deaths} times in a row without an answer and is given up`;
    ledger.fail({ stage: 'process', message });
    onNote(message);
  }

  /** Loads the best adapter of a group that can be loaded. @throws {WorkerDied} */
  async #load(worker: SubmitWorker, group: Group) {
    while (group.adapters.length > 0) {
      const adapter = bestOf(group);
      try {
        await worker.request({ type: 'load', adapterPath: adapter });
        return { group, adapter };
      } catch (error) {
        if (error instanceof WorkerDied) throw error;
        this.#giveUp(group, adapter, messageOf(error));
      }
    }
    return undefined;
  }

  /** Goes on to the next adapter; what failed with this one gets another chance. */
  #giveUp(group: Group, adapter: string | null, message: string): void {
    const { ledger, onNote } = this.#options;
    if (group.adapters[0] !== adapter || group.adapters.length === 0) return;
    group.adapters.shift();
    const next = group.adapters[0];
    const instead =
      next === undefined ? 'nothing is left to predict with' : next === null ? 'the base model' : next;
    const text = `${adapter === null ? 'the base model' : `the adapter ${adapter}`} cannot be used: ${message}`;
    ledger.fail({ stage: 'model', message: text });
    onNote(`${text}; ${next === undefined ? instead : `${instead} takes its place`}`);
    group.loadDeaths = 0;
    group.answers = 0;
    if (next !== undefined) {
      if (group.struck.length > 0)
        this.#queue.unshift({ group, items: group.struck.map(({ item }) => item) });
      group.struck = [];
    } else this.#queue = this.#queue.filter((chunk) => chunk.group !== group);
  }

  /** Asks again for what a request that failed has left: in halves, or not at all when it stands alone. */
  #retry(group: Group, adapter: string | null, items: readonly Item[], message: string): void {
    if (items.length === 0 || group.adapters.length === 0) return;
    if (items.length > 1) {
      const middle = Math.ceil(items.length / 2);
      this.#queue.unshift({ group, items: items.slice(0, middle) }, { group, items: items.slice(middle) });
      return;
    }
    const [item] = items;
    group.struck.push({ item: item!, message });
    this.#options.onItem(item!);
    const last = !this.#queue.some((chunk) => chunk.group === group);
    if (group.answers === 0 && (last || group.struck.length >= HOPELESS))
      this.#giveUp(group, adapter, message);
  }

  /** The next items to do, as soon as there are some; null when nothing is left that could bring more. */
  async #next(preferred?: Group): Promise<Chunk | null> {
    for (;;) {
      const chunk = this.#take(preferred);
      if (chunk) {
        this.#inFlight += 1;
        return chunk;
      }
      if (this.#inFlight === 0 || this.#options.signal.aborted) return null;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }

  #take(preferred?: Group): Chunk | null {
    for (;;) {
      const head = this.#queue[0];
      if (!head) return null;
      // no change of model within a round as long as there is something to do without
      const stays = this.#queue.find(
        (chunk) => chunk.group === preferred && chunk.items[0]!.i === head.items[0]!.i,
      );
      const { group, items } = stays ?? head;
      this.#queue.splice(this.#queue.indexOf(stays ?? head), 1);
      const wanted = items.filter(({ taskId }) => group.strikes(taskId) < MOST_STRIKES);
      const sound = wanted.filter(({ taskId }) => group.strikes(taskId) === 0);
      if (wanted.length === 0) continue;
      if (sound.length === wanted.length || wanted.length === 1) return { group, items: wanted };
      const alone = wanted.filter((item) => !sound.includes(item)).map((item) => ({ group, items: [item] }));
      if (sound.length > 0) alone.unshift({ group, items: sound });
      this.#queue.unshift(...alone);
    }
  }
}

/** Cuts the work into what is asked together: each piece about one group, in the order of its first item. */
function cut({ items, batchSize }: PredictAllOptions, groups: readonly Group[]): Chunk[] {
  const size = Math.max(batchSize, Math.min(MOST_BATCHES * batchSize, Math.ceil(items.length / PIECES)));
  const groupOf = new Map(groups.flatMap((group) => [...group.taskIds].map((id) => [id, group])));
  const open = new Map<Group, Item[]>();
  const chunks: { group: Group; items: Item[] }[] = [];
  for (const item of items) {
    const group = groupOf.get(item.taskId)!;
    const last = open.get(group);
    if (last && last.length < size) {
      last.push(item);
      continue;
    }
    const fresh = [item];
    open.set(group, fresh);
    chunks.push({ group, items: fresh });
  }
  return chunks;
}

const input = ({ taskId, testIndex }: Item) => ({ taskId, testIndex });

const bestOf = ({ adapters }: Group) => adapters[0] as string | null;
