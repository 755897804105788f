/** @file What a worker and its thread tell each other. The thread holds the leases; the worker runs the parts. */
import type { PartProgress } from '../part-files.js';

/** What a job of the queue holds. */
export interface JobData {
  /** The output folder of its sweep. */
  readonly folder: string;
  /** The part of the sweep. */
  readonly part: string;
}

/** A part that has become ready. */
export interface NewJob extends JobData {
  readonly kind: string;
  readonly retries: number;
}

/** What the thread is started with. */
export interface ThreadData {
  readonly url: string;
  readonly queueName: string;
  /** Milliseconds after which a silent worker's part is given to another one. */
  readonly lease: number;
}

/** From the thread. */
export type FromThread =
  | { readonly type: 'ready' }
  | {
      readonly type: 'job';
      readonly key: string;
      readonly data: JobData;
      /** How many more failures are forgiven, of all that were. */
      readonly retriesLeft: number;
      readonly retries: number;
    }
  /** Nothing waits and nothing runs anywhere. */
  | { readonly type: 'empty' }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'broken'; readonly message: string };

/** To the thread: what is said of the job with that key. */
export type ToThread =
  | { readonly type: 'progress'; readonly key: string; readonly progress: PartProgress }
  | { readonly type: 'log'; readonly key: string; readonly text: string }
  | { readonly type: 'done'; readonly key: string; readonly next: readonly NewJob[]; readonly result: object }
  | {
      readonly type: 'failed';
      readonly key: string;
      readonly message: string;
      /** It is not tried again. */
      readonly isFinal: boolean;
      readonly next: readonly NewJob[];
    }
  /** Another process has it: to be tried again in a while. */
  | { readonly type: 'later'; readonly key: string; readonly milliseconds: number }
  | { readonly type: 'close' };
