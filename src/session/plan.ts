/** @file The prompts of a flow that asks for outputs, and what a person has to know of them before the model is loaded. */
import { datasetOf, requireCode } from '../arc/dataset.js';
import type { Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import type { sessionInferOptions } from '../options/inference.js';
import type { ConfigOf } from '../options/table.js';
import type { PromptBuilder, PromptKind } from '../prompts/index.js';
import { hasCode } from '../prompts/prompt-tasks.js';
import {
  type PlanAllOptions,
  type PlanOptions,
  type PredictionPlan,
  planPredictions,
} from './predictions.js';
import { answerTokensOf, type PromptSession, promptKindFor } from './prompts.js';
import { togglesFor } from './views.js';

/**
 * The kind of a name, which has to ask for outputs.
 * @throws {UserError} when it does not, or shows code that a task lacks
 */
export function outputKind(name: string, tasks: ReadonlyMap<string, Task>, source = 'the tasks'): PromptKind {
  const kind = promptKindFor(name, ['output-from-examples', 'output-from-code'], 'inference');
  if (hasCode(kind.task)) requireCode(datasetOf(tasks), source);
  return kind;
}

/** What {@link planWith} has to know. */
export type PlanConfig = Omit<PlanAllOptions, keyof PlanOptions> &
  Pick<ConfigOf<typeof sessionInferOptions.table>, 'promptVersion' | 'maxNewTokens'> & {
    readonly datasetPath?: string | undefined;
  };

/**
 * Makes the prompts of all views of all test inputs, and notes what does not fit.
 * @throws {UserError} when no prompt fits
 */
export function planWith(
  session: PromptSession,
  tasks: ReadonlyMap<string, Task>,
  o: PlanConfig,
  onNote: (text: string) => void,
): { plan: PredictionPlan; prompts: PromptBuilder; maxNewTokens: number } {
  const kind = outputKind(o.promptVersion, tasks, o.datasetPath);
  for (const note of session.notes) onNote(note);
  const prompts = session.builder(kind);
  const maxNewTokens = o.maxNewTokens ?? session.mostGridTokens;
  const plan = planPredictions(tasks, prompts, {
    ...o,
    ...togglesFor(kind.task, o),
    maxSeqLen: session.maxSeqLen,
    answerTokens: answerTokensOf(session, maxNewTokens),
  });
  const count = plan.predictions.length;
  if (plan.tooLong === count) throw nothingFits(session.maxSeqLen, count, o.datasetPath);
  if (plan.shortened > 0) onNote(`${plan.shortened} of ${count} prompts lost train samples to fit`);
  if (plan.tooLong > 0) onNote(`${plan.tooLong} of ${count} prompts are too long and stay unanswered`);
  if (plan.withoutView > 0) onNote(withoutViewNote(plan.withoutView));
  return { plan, prompts, maxNewTokens };
}

/** The error where no prompt fits. */
export function nothingFits(maxSeqLen: number, count: number, source = 'the tasks'): UserError {
  return new UserError(
    `\`maxSeqLen: ${maxSeqLen}\`: none of the ${count} prompts of ${source} fits with its answer, not even with a ` +
      'single train sample',
  );
}

/** Says that there are fewer predictions than asked for. */
export function withoutViewNote(count: number): string {
  return (
    `${count} predictions fewer than asked for: with \`temperature: 0\` each needs an augmentation of its own, and ` +
    'these tasks have no more of them'
  );
}
