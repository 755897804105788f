/**
 * How a program follows a flow and stops it: every flow takes `{ onEvent, signal }`. An event says by its `type` what
 * has happened; each flow names the types that it has.
 */

/** What a person should know, in one line. Options stand in it as code (see option-names.ts). */
export interface NoteEvent {
  readonly type: 'note';
  readonly text: string;
}

/** A part of a flow begins. */
export interface StageEvent {
  readonly type: 'stage';
  readonly name: string;
}

/** How much of a flow's work is done. */
export interface ProgressEvent<Unit extends string = string> {
  readonly type: 'progress';
  /** What is counted. */
  readonly unit: Unit;
  readonly finished: number;
  readonly total: number;
}

/** What a flow takes beside its options. */
export interface Hooks<Event> {
  onEvent?: ((event: Event) => void) | undefined;
  /** When aborted, the flow stops cleanly; each documents what it keeps. */
  signal?: AbortSignal | undefined;
}

/** Sends notes to a listener. */
export const notesTo =
  (onEvent: ((event: NoteEvent) => void) | undefined) =>
  (text: string): void =>
    onEvent?.({ type: 'note', text });
