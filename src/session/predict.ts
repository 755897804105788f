import type { Task } from '../arc/types.js';
import { notesTo } from '../common/events.js';
import { saveResults, taskResultsPath } from '../evaluation/files.js';
import type { Prediction } from '../evaluation/types.js';
import type { GenerationProgress } from '../generation/engine.js';
import type { decodingOptions } from '../options/decoding.js';
import type { sessionInferOptions } from '../options/inference.js';
import type { ConfigOf, OptionsOf } from '../options/table.js';
import { alone } from '../tensors/collective/alone.js';
import { ask, type GenerationHooks } from './ask.js';
import { planWith } from './plan.js';
import { type LeftOut, toPredictions, toRequests } from './predictions.js';
import type { PromptSession } from './prompts.js';
import { heardBy, onFirst, type Sharing } from './sharing.js';

/** How answers are decoded. */
export type DecodingOptions = OptionsOf<typeof decodingOptions>;

export interface InferResult extends LeftOut {
  readonly predictions: readonly Prediction[];
  /** Answers that are no grid; those cut off at the longest answer are among them. */
  readonly unparsable: number;
  readonly cutOff: number;
  /** Answers that are missing because the model's numbers were not finite. */
  readonly notFinite: number;
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
  const files = o.outputPath === undefined ? [] : [o.outputPath, taskResultsPath(o.outputPath)];
  const { plan, prompts, maxNewTokens } = planWith(session, tasks, o, onNote);
  const requests = toRequests(plan, o.constrained ? prompts.answerGrammar : undefined);
  const asked = { flow: 'infer', tasks, requests, maxNewTokens, files };
  return ask(session, asked, o, { onEvent, signal, ranks }, async ({ completions, failed, progress }) => {
    const answers = completions.map(([completion]) => completion!);
    const predictions = toPredictions(plan, answers, prompts);
    await onFirst(ranks, () => {
      if (o.outputPath !== undefined) saveResults(o.outputPath, predictions);
      onSaved();
    });
    return {
      predictions,
      unparsable: predictions.filter(({ grid, reason }) => grid === null && reason === undefined).length,
      cutOff: answers.filter(({ finished, reason }) => !finished && reason === undefined).length,
      notFinite: failed,
      ...{ shortened: plan.shortened, tooLong: plan.tooLong, withoutView: plan.withoutView },
      progress,
    };
  });
}
