import { gridKey } from '../arc/grid.js';
import type { Grid, Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { notesTo } from '../common/events.js';
import { writeFileAtomic } from '../common/files.js';
import { type Report, saveReport } from '../display/report.js';
import type { Completion } from '../generation/engine.js';
import type { sessionGenerateInputsOptions } from '../options/inference.js';
import type { ConfigOf } from '../options/table.js';
import type { PromptKind } from '../prompts/index.js';
import { ask, type GenerationHooks } from './ask.js';
import { fitPrompt, type InferencePrompts, readGrid } from './predictions.js';
import { answerTokensOf, type PromptSession, promptKindFor } from './prompts.js';

/** A generated grid. */
export interface GeneratedGrid {
  readonly grid: Grid;
  /** The log-probability of the first answer with this grid, in nats. */
  readonly logProb: number;
  /** How many answers are this grid. */
  readonly count: number;
  /** False for a grid that the task has already. */
  readonly isNew: boolean;
}

export interface GenerateInputsResult {
  /** The different grids of each task, the most likely first. */
  readonly grids: ReadonlyMap<string, readonly GeneratedGrid[]>;
  /** Answers drawn; those that are grids; different grids; and different grids that the tasks do not have. */
  readonly drawn: number;
  readonly valid: number;
  readonly different: number;
  readonly fresh: number;
  /** Tasks whose prompt does not fit. */
  readonly tooLong: number;
}

/** The kind of a name, which has to ask for a grid of the kind that it shows. */
export const drawnKind = (name: string): PromptKind =>
  promptKindFor(name, ['input-from-inputs', 'output-from-outputs'], 'generation of grids');

/** What {@link drawGrids} has to know. */
export type DrawConfig = ConfigOf<typeof sessionGenerateInputsOptions.table> & {
  readonly datasetPath?: string;
};

/** Draws grids from a model, which is loaded when everything else is known to be right. */
export async function drawGrids(
  session: PromptSession,
  tasks: ReadonlyMap<string, Task>,
  o: DrawConfig,
  hooks: GenerationHooks,
): Promise<GenerateInputsResult> {
  const onNote = notesTo(hooks.onEvent);
  const kind = drawnKind(o.promptVersion);
  for (const note of session.notes) onNote(note);
  const prompts = session.builder(kind);
  const maxNewTokens = o.maxNewTokens ?? session.mostGridTokens;
  const answerTokens = answerTokensOf(session, maxNewTokens);

  const requests = [...tasks].flatMap(([taskId, task]) => {
    const budget = session.maxSeqLen - answerTokens(task);
    const prompt = fitPrompt(prompts, task, task.test.length, budget);
    if (prompt === null) return [];
    const grammar = o.constrained ? { grammar: prompts.answerGrammar } : {};
    return [{ tokens: prompt.tokens, samples: o.n, stream: taskId, ...grammar }];
  });
  if (requests.length === 0) {
    throw new UserError(
      `\`maxSeqLen: ${session.maxSeqLen}\`: no prompt of ${o.datasetPath ?? 'the tasks'} fits with its answer`,
    );
  }
  const tooLong = tasks.size - requests.length;
  if (tooLong > 0) onNote(`${tooLong} of ${tasks.size} prompts are too long`);

  const files = [o.outputPath, o.htmlPath].filter((path) => path !== undefined);
  const asked = { flow: 'generate-inputs', tasks, requests, maxNewTokens, files };
  return ask(session, asked, o, hooks, async ({ completions }) => {
    const answered = requests.map(({ stream }, i) => ({ taskId: stream, completions: completions[i]! }));
    const result = { ...collect(answered, tasks, prompts, kind), drawn: requests.length * o.n, tooLong };
    if (o.outputPath !== undefined) writeFileAtomic(o.outputPath, toJson(result.grids));
    if (o.htmlPath !== undefined) await saveReport(o.htmlPath, toReport(result, tasks, kind));
    return result;
  });
}

/** The grids among the answers to each task, and how many there are. */
function collect(
  answered: readonly { taskId: string; completions: readonly Completion[] }[],
  tasks: ReadonlyMap<string, Task>,
  prompts: Pick<InferencePrompts, 'parseAnswer'>,
  kind: PromptKind,
): Pick<GenerateInputsResult, 'grids' | 'valid' | 'different' | 'fresh'> {
  let valid = 0;
  const grids = new Map<string, GeneratedGrid[]>();
  for (const { taskId, completions } of answered) {
    const answers = completions.map((completion) => ({
      ...completion,
      grid: readGrid(completion, prompts),
    }));
    valid += answers.filter(({ grid }) => grid !== null).length;
    grids.set(taskId, countGrids(answers, givenGrids(tasks.get(taskId)!, kind)));
  }
  const all = [...grids.values()].flat();
  return { grids, valid, different: all.length, fresh: all.filter(({ isNew }) => isNew).length };
}

/** The grids of a task that are of the kind that is drawn. */
function givenGrids({ train, test }: Task, kind: PromptKind): Grid[] {
  const samples = [...train, ...test];
  if (kind.task === 'input-from-inputs') return samples.map(({ input }) => input);
  return samples.flatMap(({ output }) => (output ? [output] : []));
}

/** The different grids among answers, the most likely first. */
function countGrids(
  answers: readonly { grid: Grid | null; logProb: number }[],
  given: readonly Grid[],
): GeneratedGrid[] {
  const known = new Set(given.map(gridKey));
  const different = new Map<string, GeneratedGrid>();
  for (const { grid, logProb } of answers) {
    if (grid === null) continue;
    const key = gridKey(grid);
    const before = different.get(key);
    different.set(
      key,
      before ? { ...before, count: before.count + 1 } : { grid, logProb, count: 1, isNew: !known.has(key) },
    );
  }
  return [...different.values()].sort((a, b) => b.logProb - a.logProb);
}

/** One grid a line. */
function toJson(grids: ReadonlyMap<string, readonly GeneratedGrid[]>): string {
  const tasks = Array.from(
    grids,
    ([taskId, list]) =>
      `${JSON.stringify(taskId)}: [\n${list.map((item) => JSON.stringify(item)).join(',\n')}\n]`,
  );
  return `{\n${tasks.join(',\n')}\n}\n`;
}

/** A page with the grids of each task beside those that it has. */
function toReport(
  { grids, drawn, valid, different, fresh }: GenerateInputsResult,
  tasks: ReadonlyMap<string, Task>,
  kind: PromptKind,
): Report {
  const cards = Array.from(grids, ([taskId, list]) => ({
    title: taskId,
    originals: givenGrids(tasks.get(taskId)!, kind),
    generated: list.map(({ grid }) => grid),
    labels: list.map(({ logProb, isNew }) => `${isNew ? 'new' : 'given'}, ${logProb.toFixed(1)} nats`),
  }));
  const facts = Object.entries({ drawn, grids: valid, different, new: fresh });
  return {
    title: 'Generated grids',
    lead: `Drawn with prompt kind \`${kind.name}\`; for each task the most likely first.`,
    facts: facts.map(([label, value]) => ({ label, value: String(value) })),
    sections: [{ heading: 'Tasks', blocks: [{ kind: 'generated', cards }] }],
  };
}
