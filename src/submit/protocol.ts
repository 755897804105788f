/**
 * @file What a submission's parent and its child processes say to each other: one request at a time, any number of
 * replies, of which the last is `done` or `failed`. A child that says nothing for long is ended.
 */
import type { Grid } from '../arc/types.js';
import type { ScoredGrid } from '../evaluation/scores.js';
import type { Prediction } from '../evaluation/types.js';
import type { TestTimeFineTuneOptions } from '../experiments/test-time-fine-tune.js';
import type { TaskTuningOptions, WorkerConfig } from './options.js';

/** The i-th that is asked about a test input: a prediction (0 = of the plain task), or at last a search. */
export interface Item {
  readonly taskId: string;
  readonly testIndex: number;
  readonly i: number;
}

/** The test input that an item is about, as a key. */
export const inputKey = ({ taskId, testIndex }: Pick<Item, 'taskId' | 'testIndex'>): string =>
  `${taskId}/${testIndex}`;

/** An item as a child is asked for it. */
export interface Question extends Item {
  /** Search for all likely answers, and score them with these grids, which were predicted before. */
  readonly search?: { readonly known: readonly Grid[] };
}

/** What a child answers to an item. */
export interface Answer {
  /** One, or those of a search: one for each view and grid that it found. */
  readonly predictions: readonly Prediction[];
  /** Of a search: all different grids that there are for the test input, scored under common views. */
  readonly scored?: readonly ScoredGrid[];
}

/** What a child is asked to do. Options are checked by their table where they arrive. */
export type Request =
  /** Open tasks and prompts; with `tuning` the model that is loaded afterwards is fine-tuned on tasks. */
  | { readonly type: 'open'; readonly config: WorkerConfig; readonly tuning?: TaskTuningOptions | undefined }
  /** Fine-tune within so many seconds (Infinity = all steps). */
  | { readonly type: 'fine-tune'; readonly options: TestTimeFineTuneOptions; readonly seconds: number }
  /** Take the model with this adapter, or without one. */
  | { readonly type: 'load'; readonly adapterPath: string | null }
  /** Fine-tune on a task in memory, from the adapter that was loaded, within so many seconds; 0 = do not. */
  | {
      readonly type: 'adapt';
      readonly taskId: string;
      readonly seconds: number;
      /** Where the adapter of an earlier turn of the task may be, and whether it is kept there for a later one. */
      readonly folder: string;
      readonly keep: boolean;
    }
  /** Answer items; a search ends early enough to be scored within so many seconds (Infinity = when it is complete). */
  | { readonly type: 'predict'; readonly items: readonly Question[]; readonly seconds: number };

/** What a child answers. */
export type Reply =
  | { readonly type: 'alive' }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'step'; readonly step: number; readonly maxSteps: number; readonly loss: number }
  /** The answer to the item at this place of the request; null when its prompt does not fit. */
  | { readonly type: 'answer'; readonly index: number; readonly answer: Answer | null }
  | { readonly type: 'done'; readonly checkpoint?: string; readonly tuning?: TuningReport }
  | { readonly type: 'failed'; readonly message: string };

/** What the fine-tuning on a task was; its adapter may have been there already. */
export interface TuningReport {
  readonly steps: number;
  /** Of the most steps. */
  readonly part: number;
  readonly loss: number | null;
  readonly stopped?: string;
}

/** Does a child's work: one method for each request. */
export type Handlers = {
  [Type in Request['type']]: (
    request: Extract<Request, { type: Type }>,
    reply: (reply: Reply) => void,
    // biome-ignore lint/suspicious/noConfusingVoidType: most requests are answered by their end alone
  ) => Promise<{ checkpoint?: string; tuning?: TuningReport } | void>;
};
