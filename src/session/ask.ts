/** @file What flows that generate have in common: the answers to their prompts are kept as they come, until the results are written. */
import type { Task } from '../arc/types.js';
import { type Hooks, type NoteEvent, notesTo, type ProgressEvent } from '../common/events.js';
import { digestOf } from '../generation/digest.js';
import type {
  Completion,
  GenerateOptions,
  GenerationProgress,
  GenerationRequest,
} from '../generation/engine.js';
import { alone } from '../tensors/collective/alone.js';
import { identityOf } from './identity.js';
import { type AnswerJournal, generateKept, openTogether } from './kept-answers.js';
import { noteNotFinite } from './not-finite.js';
import type { PromptSession } from './prompts.js';
import type { Sharing } from './sharing.js';

/** What happens while answers are generated. */
export type GenerationEvent = NoteEvent | (ProgressEvent<'answers'> & GenerationProgress);

/** When the signal is aborted, the flow ends with a {@link StoppedError}; its answers so far are kept beside the result. */
export type GenerationHooks = Hooks<GenerationEvent>;

/** What a flow asks a model. */
interface Asked {
  /** Its name, which what is kept of it belongs to. */
  readonly flow: string;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly requests: readonly GenerationRequest[];
  /** The longest answer, in tokens. */
  readonly maxNewTokens: number;
  /** The files of its results: what is kept lies beside the first, and goes when all are written. */
  readonly files: readonly string[];
}

/** The answers to each request, how many have none for numbers that were not finite, and the speed if any was new. */
interface Answered {
  readonly completions: readonly (readonly Completion[])[];
  readonly failed: number;
  readonly progress: GenerationProgress | null;
}

/**
 * Loads the model, has it answer, and gives it back.
 * @param options those of the flow, on which its answers depend
 * @param write makes the flow's result of the answers, and writes its files
 * @throws {UserError} when no answer could be computed
 */
export async function ask<R>(
  session: PromptSession,
  { flow, tasks, requests, maxNewTokens, files }: Asked,
  options: Omit<GenerateOptions, 'maxNewTokens'>,
  { onEvent, signal, ranks = alone }: GenerationHooks & Sharing,
  write: (answered: Answered) => R | Promise<R>,
): Promise<R> {
  const onNote = notesTo(onEvent);
  let progress: GenerationProgress | null = null;
  const onProgress = (now: GenerationProgress): void => {
    progress = now;
    onEvent?.({ type: 'progress', unit: 'answers', ...now });
  };
  const asked = () => requests.map(({ tokens, stream }) => [digestOf(tokens), stream]);
  const identity = () => identityOf(flow, options, { session, dataset: tasks, prompts: asked() });
  const decoder = await session.loadDecoder();
  let journal: AnswerJournal | undefined;
  try {
    journal = await openTogether(files[0], identity, onNote, ranks);
    const kept = {
      ...options,
      ...{ maxNewTokens, maxSeqLen: session.maxSeqLen, onNote, onProgress, signal, ranks },
    };
    const completions = await generateKept(decoder, session.tokenizer, requests, kept, journal);
    const all = completions.flat();
    const failed = all.filter(({ reason }) => reason !== undefined).length;
    noteNotFinite({ failed, total: all.length, what: 'answers' }, decoder.keptType, onNote);
    const result = await write({ completions, failed, progress });
    journal?.finish(files);
    return result;
  } finally {
    journal?.close();
    session.release(decoder);
  }
}
