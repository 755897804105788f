/** @file How the parts of a sweep get done: here, or by workers that take them from a queue. */
import type { Hooks, NoteEvent } from '../common/events.js';
import type { PartEvent } from './handlers.js';
import type { Part, SweepPlan } from './plan.js';

/** What happens in a sweep. */
export type SweepEvent =
  | NoteEvent
  | PartEvent
  | { readonly type: 'part'; readonly id: string; readonly number: number; readonly total: number };

/** Gets parts of a plan done. What they came to is in the files of the sweep's folder. */
export interface Executor {
  /**
   * Does these parts, or has them done. A part that fails does not end the others.
   * @throws {PartStopped} when the signal stopped it
   */
  run(plan: SweepPlan, parts: readonly Part[], hooks: Hooks<SweepEvent>): Promise<void>;
}
