import type { Task } from '../arc/types.js';
import type { Clock } from '../common/clock.js';
import type { Item } from './submit-protocol.js';

/**
 * Which predictions to make, in which order, and how many of them fit: in rounds over all test inputs, within
 * a round the shortest prompts first. A prediction is taken to cost as much as its prompt is long; how long
 * that takes is measured.
 */
export class PredictionPlan {
  readonly items: readonly Item[];
  readonly #costs: readonly number[];
  readonly #places = new Map<Item, number>();
  readonly #done = new Set<Item>();
  readonly #started: number;
  #doneCost = 0;

  /** @param promptTokens the length of the plain prompt about a test input */
  constructor(
    tasks: ReadonlyMap<string, Task>,
    readonly predictionsPerTask: number,
    promptTokens: (task: Task, testIndex: number) => number,
    readonly clock: Pick<Clock, 'now'>,
  ) {
    const inputs = [...tasks].flatMap(([taskId, task]) =>
      task.test.map((_, testIndex) => ({ taskId, testIndex, cost: promptTokens(task, testIndex) })),
    );
    inputs.sort((a, b) => a.cost - b.cost);
    const planned = Array.from({ length: predictionsPerTask }, (_, i) =>
      inputs.map(({ taskId, testIndex, cost }) => ({ cost, item: { taskId, testIndex, i } })),
    ).flat();
    this.items = planned.map(({ item }) => item);
    this.#costs = planned.map(({ cost }) => cost);
    for (const [place, item] of this.items.entries()) this.#places.set(item, place);
    this.#started = clock.now();
  }

  /** Whether all items are done. */
  get finished(): boolean {
    return this.#done.size === this.items.length;
  }

  /** Takes note that an item is done. */
  done(item: Item): void {
    if (this.#done.has(item)) return;
    this.#done.add(item);
    this.#doneCost += this.#costs[this.#places.get(item)!]!;
  }

  /** What fits into so many seconds, at the speed so far. */
  progress(secondsLeft: number) {
    const perCost = (this.clock.now() - this.#started) / this.#doneCost;
    let fitting = this.#done.size;
    let secondsNeeded = 0;
    for (const [place, item] of this.items.entries()) {
      if (this.#done.has(item)) continue;
      secondsNeeded += this.#costs[place]! * perCost;
      if (secondsNeeded <= secondsLeft) fitting += 1;
    }
    const inputs = this.items.length / this.predictionsPerTask;
    return {
      done: this.#done.size,
      total: this.items.length,
      perInput: fitting / inputs,
      secondsLeft,
      secondsNeeded,
    };
  }
}
