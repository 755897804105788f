/** @file What a shared flow asks of the processes that share it, and the answers where there is only one. */

/** What must be the same on all ranks, by what a person calls it. */
export type Facts = Readonly<Record<string, unknown>>;

/** The processes that share a flow, as the flow sees them: `Ranks`, or {@link alone}. */
export interface Sharers {
  readonly rank: number;
  readonly size: number;
  /** Whether this is the process that writes files and speaks. */
  readonly isFirst: boolean;
  /** A value of plain data from each process, by rank. */
  gather<T>(value: T): Promise<T[]>;
  /** What the first process computes, everywhere. */
  first<T>(compute: () => T | Promise<T>): Promise<T>;
  /** Runs something on one process of each machine before the others. */
  oneByMachine<T>(run: () => Promise<T>): Promise<T>;
  /** Runs something on the first process before the others. */
  inOrder<T>(run: () => T): Promise<T>;
  /** Makes sure that facts are the same everywhere. */
  agree(facts: Facts): Promise<void>;
  /** From here on an error of one process ends the others at once. */
  start(): void;
  end(): void;
  /** Which of some items are this process's, of nearly the same cost as those of every other. */
  share(costs: readonly number[]): number[];
  /** The device of this process, where one is named or each has its own. */
  deviceOf(options: { backend?: string; device?: string }): { device?: string };
}

/** A process that shares its work with nobody. */
export const alone: Sharers = {
  rank: 0,
  size: 1,
  isFirst: true,
  gather: async (value) => [value],
  first: async (compute) => compute(),
  oneByMachine: (run) => run(),
  inOrder: async (run) => run(),
  agree: async () => {},
  start() {},
  end() {},
  share: (costs) => [...costs.keys()],
  deviceOf: ({ device }) => (device === undefined ? {} : { device }),
};
