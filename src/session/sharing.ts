/** @file A flow that several processes share: each makes the same call, and all get the same result. */
import { type Locking, withoutLock } from '../common/lock.js';
import type { Ranks } from '../tensors/collective/ranks.js';
import { type ModelOptions, openPrompts, type PromptSession } from './prompts.js';

/** What a flow takes beside its hooks. */
export interface Sharing {
  /** The processes that share the work. The first one writes files and tells events. */
  readonly ranks?: Ranks | undefined;
}

/** What is told on this rank. */
export const heardBy = <T>(ranks: Ranks | undefined, onEvent: T | undefined): T | undefined =>
  ranks === undefined || ranks.isFirst ? onEvent : undefined;

/** Runs something that writes files, on the first rank alone; the others go on when it is done. */
export async function onFirst(ranks: Ranks | undefined, write: () => void): Promise<void> {
  if (ranks === undefined || ranks.isFirst) write();
  await ranks?.gather(null);
}

/** The first rank holds the lock for all. */
export const lockingOf = (ranks: Ranks | undefined, locking: Locking): Locking =>
  ranks?.isFirst === false ? withoutLock : locking;

/** As `openPrompts`: what one rank of a machine downloads is there for the others, and each has a GPU of its own. */
export async function openPromptsOf(ranks: Ranks | undefined, options: ModelOptions): Promise<PromptSession> {
  if (ranks === undefined) return openPrompts(options);
  return ranks.oneByMachine(() => openPrompts({ ...options, ...ranks.deviceOf(options) }));
}
