import type { Prediction } from '../evaluation/types.js';
import type { DecodingOptions } from './infer.js';
import type { ModelOptions } from './model-session.js';
import type { AugmentationToggles } from './predictions.js';
import type { TestTimeFineTuneOptions } from './test-time-fine-tune.js';

/*
 * What a submission's parent and its child processes say to each other: one request at a time, any number of
 * replies, of which the last is `done` or `failed`. A child that says nothing for long is ended.
 */

/** A prediction to be made: the i-th (0 = of the plain task) for a test input. */
export interface Item {
  readonly taskId: string;
  readonly testIndex: number;
  readonly i: number;
}

/** What a child needs to know before its first request. */
export interface WorkerConfig
  extends Omit<ModelOptions, 'adapterPath'>,
    Required<Pick<DecodingOptions, 'temperature' | 'topK' | 'topP' | 'batchSize' | 'constrained' | 'seed'>>,
    Pick<DecodingOptions, 'maxOutputTokens'>,
    Required<AugmentationToggles> {
  readonly challengesPath: string;
  readonly promptVersion: string;
}

/** What a child is asked to do. */
export type Request =
  | { readonly type: 'open'; readonly config: WorkerConfig }
  /** Fine-tune within so many seconds (Infinity = all steps). */
  | { readonly type: 'fine-tune'; readonly options: TestTimeFineTuneOptions; readonly seconds: number }
  /** Take the model with this adapter, or without one. */
  | { readonly type: 'load'; readonly adapterPath: string | null }
  | { readonly type: 'predict'; readonly items: readonly Item[] };

/** What a child answers. */
export type Reply =
  | { readonly type: 'alive' }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'step'; readonly step: number; readonly maxSteps: number; readonly loss: number }
  /** The answer to the item at this place of the request; null when its prompt does not fit. */
  | { readonly type: 'prediction'; readonly index: number; readonly prediction: Prediction | null }
  | { readonly type: 'done'; readonly checkpoint?: string }
  | { readonly type: 'failed'; readonly message: string };

/** Does a child's work: one method for each request. */
export type Handlers = {
  [Type in Request['type']]: (
    request: Extract<Request, { type: Type }>,
    reply: (reply: Reply) => void,
    // biome-ignore lint/suspicious/noConfusingVoidType: most requests are answered by their end alone
  ) => Promise<{ checkpoint: string } | void>;
};
