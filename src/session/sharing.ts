/** @file A flow that several processes share: each makes the same call, and all get the same result. */
import { type Locking, withoutLock } from '../common/lock.js';
import type { Sharers } from '../tensors/collective/alone.js';
import { type ModelOptions, openPrompts, type PromptSession } from './prompts.js';

/** What a flow takes beside its hooks. */
export interface Sharing {
  /** The processes that share the work. The first one writes files and tells events. Default: this one alone. */
  readonly ranks?: Sharers | undefined;
}

/** What is told on this rank. */
export const heardBy = <T>(ranks: Sharers, onEvent: T | undefined): T | undefined =>
  ranks.isFirst ? onEvent : undefined;

/** Runs something that writes files, on the first rank alone; the others go on when it is done. */
export async function onFirst(ranks: Sharers, write: () => void): Promise<void> {
  if (ranks.isFirst) write();
  await ranks.gather(null);
}

/** The first rank holds the lock for all. */
export const lockingOf = (ranks: Sharers, locking: Locking): Locking =>
  ranks.isFirst ? locking : withoutLock;

/** As `openPrompts`: what one rank of a machine downloads is there for the others, and each has a GPU of its own. */
export const openPromptsOf = (ranks: Sharers, options: ModelOptions): Promise<PromptSession> =>
  ranks.oneByMachine(() => openPrompts({ ...options, ...ranks.deviceOf(options) }));
