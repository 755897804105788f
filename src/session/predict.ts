import type { Task } from '../arc/types.js';
import { type Hooks, type NoteEvent, notesTo, type ProgressEvent } from '../common/events.js';
import { saveResults, taskResultsPath } from '../evaluation/files.js';
import type { Prediction } from '../evaluation/types.js';
import { digestOf } from '../generation/digest.js';
import type { GenerationProgress } from '../generation/engine.js';
import type { decodingOptions } from '../options/decoding.js';
import type { sessionInferOptions } from '../options/inference.js';
import type { ConfigOf, OptionsOf } from '../options/table.js';
import { alone } from '../tensors/collective/alone.js';
import { identityOf } from './identity.js';
import { type AnswerJournal, generateKept, openTogether } from './kept-answers.js';
import { noteNotFinite } from './not-finite.js';
import { planWith } from './plan.js';
import { toPredictions, toRequests } from './predictions.js';
import type { PromptSession } from './prompts.js';
import { heardBy, onFirst, type Sharing } from './sharing.js';

/** How answers are decoded. */
export type DecodingOptions = OptionsOf<typeof decodingOptions>;

/** What happens while answers are generated. */
export type GenerationEvent = NoteEvent | (ProgressEvent<'answers'> & GenerationProgress);

/** When the signal is aborted, the flow ends with a {@link StoppedError}; its answers so far are kept beside the result. */
export type GenerationHooks = Hooks<GenerationEvent>;

export interface InferResult {
  readonly predictions: readonly Prediction[];
  /** Answers that are no grid; those cut off at the longest answer are among them. */
  readonly unparsable: number;
  readonly cutOff: number;
  /** Answers that are missing because the model's numbers were not finite. */
  readonly notFinite: number;
  /** Prompts that lost train samples to fit, and prompts that do not fit at all (unanswered). */
  readonly shortened: number;
  readonly tooLong: number;
  /** Predictions fewer than asked for, because greedy decoding would have been asked the same twice. */
  readonly withoutView: number;
  readonly progress: GenerationProgress | null;
}

/** What {@link predict} has to know. */
export type PredictConfig = ConfigOf<typeof sessionInferOptions.table> & { readonly datasetPath?: string };

/** Predicts with a model, which is loaded when everything else is known to be right. @throws as {@link infer} */
export async function predict(
  session: PromptSession,
  tasks: ReadonlyMap<string, Task>,
  o: PredictConfig,
  { onEvent: tell, signal, ranks = alone }: GenerationHooks & Sharing,
  onSaved: () => void = () => {},
): Promise<InferResult> {
  const onEvent = heardBy(ranks, tell);
  const onNote = notesTo(onEvent);
  const results = o.outputPath === undefined ? [] : [o.outputPath, taskResultsPath(o.outputPath)];
  const { plan, prompts, maxNewTokens } = planWith(session, tasks, o, onNote);

  let progress: GenerationProgress | null = null;
  const decoder = await session.loadDecoder();
  const requests = toRequests(plan, o.constrained ? prompts.answerGrammar : undefined);
  const asked = () => requests.map(({ tokens, stream }) => [digestOf(tokens), stream]);
  const identity = () => identityOf('infer', o, { session, dataset: tasks, prompts: asked() });
  let journal: AnswerJournal | undefined;
  try {
    journal = await openTogether(o.outputPath, identity, onNote, ranks);
    const kept = {
      ...o,
      maxNewTokens,
      maxSeqLen: session.maxSeqLen,
      onNote,
      signal,
      ranks,
      onProgress(now: GenerationProgress) {
        progress = now;
        onEvent?.({ type: 'progress', unit: 'answers', ...now });
      },
    };
    const completions = await generateKept(decoder, session.tokenizer, requests, kept, journal);
    const answers = completions.map(([completion]) => completion!);
    const failed = answers.filter(({ reason }) => reason !== undefined).length;
    noteNotFinite({ failed, total: answers.length, what: 'answers' }, decoder.keptType, onNote);
    const predictions = toPredictions(plan, answers, prompts);
    await onFirst(ranks, () => {
      if (o.outputPath !== undefined) saveResults(o.outputPath, predictions);
      onSaved();
    });
    journal?.finish(results);
    return {
      predictions,
      unparsable: predictions.filter(({ grid, reason }) => grid === null && reason === undefined).length,
      cutOff: answers.filter(({ finished, reason }) => !finished && reason === undefined).length,
      notFinite: failed,
      shortened: plan.shortened,
      tooLong: plan.tooLong,
      withoutView: plan.withoutView,
      progress,
    };
  } finally {
    journal?.close();
    session.release(decoder);
  }
}
