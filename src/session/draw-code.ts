/** @file Programs that a model writes for tasks. They are text: nothing here runs them. */
import type { Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { notesTo } from '../common/events.js';
import { writeFileAtomic } from '../common/files.js';
import type { generateCodeOptions } from '../options/inference.js';
import type { ConfigOf } from '../options/table.js';
import type { PromptKind } from '../prompts/index.js';
import { ask, type GenerationHooks } from './ask.js';
import { fitPrompt } from './predictions.js';
import { type PromptSession, promptKindFor } from './prompts.js';

/** A program that was written for a task. */
export interface GeneratedCode {
  readonly code: string;
  /** The log-probability of the first answer with this text, in nats. */
  readonly logProb: number;
  /** How many answers are this text. */
  readonly count: number;
}

export interface GenerateCodeResult {
  /** The different programs of each task, the most likely first. */
  readonly programs: ReadonlyMap<string, readonly GeneratedCode[]>;
  /** Answers that were drawn, and those of them that ended. */
  readonly drawn: number;
  readonly finished: number;
  /** Tasks whose prompt does not fit. */
  readonly tooLong: number;
}

/** The kind of a name, which has to ask for code. */
export const codeKind = (name: string): PromptKind =>
  promptKindFor(name, ['code-from-examples'], 'generation of code');

/** Draws programs from a model, which is loaded when everything else is known to be right. */
export async function drawCode(
  session: PromptSession,
  tasks: ReadonlyMap<string, Task>,
  o: ConfigOf<typeof generateCodeOptions.table>,
  hooks: GenerationHooks,
): Promise<GenerateCodeResult> {
  const onNote = notesTo(hooks.onEvent);
  for (const note of session.notes) onNote(note);
  const prompts = session.builder(codeKind(o.promptVersion));
  const budget = session.maxSeqLen - o.maxNewTokens;
  const requests = [...tasks].flatMap(([taskId, task]) => {
    const prompt = fitPrompt(prompts, task, 0, budget);
    return prompt === null ? [] : [{ tokens: prompt.tokens, samples: o.n, stream: taskId }];
  });
  if (requests.length === 0) {
    throw new UserError(
      `\`maxSeqLen: ${session.maxSeqLen}\`: no prompt of ${o.datasetPath} fits with ${o.maxNewTokens} tokens of code ` +
        '(`maxNewTokens`)',
    );
  }
  const tooLong = tasks.size - requests.length;
  if (tooLong > 0) onNote(`${tooLong} of ${tasks.size} prompts are too long`);

  const { maxNewTokens, outputPath } = o;
  const asked = { flow: 'generate-code', tasks, requests, maxNewTokens, files: [outputPath] };
  return ask(session, asked, o, hooks, ({ completions, failed }) => {
    const drawn = completions.flat().length;
    // what was cut off is no program
    const ended = completions.map((list) => list.filter(({ finished }) => finished));
    const finished = ended.flat().length;
    const cutOff = drawn - failed - finished;
    if (cutOff > 0) {
      onNote(`${cutOff} of ${drawn} programs were cut off at \`maxNewTokens: ${maxNewTokens}\``);
    }
    const programs = new Map(requests.map(({ stream }, i) => [stream, different(ended[i]!)]));
    const lines = Array.from(programs, ([id, list]) => `${JSON.stringify(id)}: ${JSON.stringify(list)}`);
    writeFileAtomic(outputPath, `{\n${lines.join(',\n')}\n}\n`);
    return { programs, drawn, finished, tooLong };
  });
}

/** The different texts among answers, the most likely first. */
function different(answers: readonly { text: string; logProb: number }[]): GeneratedCode[] {
  const found = new Map<string, GeneratedCode>();
  for (const { text, logProb } of answers) {
    const code = text.trim();
    const before = found.get(code);
    found.set(code, before ? { ...before, count: before.count + 1 } : { code, logProb, count: 1 });
  }
  return [...found.values()].sort((a, b) => b.logProb - a.logProb);
}
