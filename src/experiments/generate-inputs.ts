/**
 * New grids from a model that learned to continue a task's grids: for each task a prompt with all of its
 * inputs, n answers drawn at a temperature, and a count of how many are grids, new and different.
 */
import { loadDataset } from '../arc/dataset.js';
import { gridKey } from '../arc/grid.js';
import type { Grid, Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { writeFileAtomic } from '../common/files.js';
import { type Report, saveReport } from '../display/report.js';
import { type Completion, generate } from '../generation/engine.js';
import type { PromptKind } from '../prompts/index.js';
import { type DecodingOptions, type GenerationHooks, withoutUndefined } from './infer.js';
import {
  largestGrid,
  type ModelOptions,
  modelDefaults,
  openPrompts,
  promptKindFor,
} from './model-session.js';
import { assertWritableFile } from './output-files.js';
import { fitPrompt, readGrid } from './predictions.js';

/** Options of {@link generateInputs}; each is the flag of the same name in snake_case. */
export interface GenerateInputsOptions extends ModelOptions, DecodingOptions {
  datasetPath: string;
  /** Where the grids go, as JSON. */
  outputFilepath?: string;
  /** A page with a picture of the grids of each task. */
  htmlFilepath?: string;
  /** Grids to draw for each task. */
  n?: number;
  promptVersion?: string;
}

/** What an option of generate-inputs is when it is not given. */
export const generateInputsDefaults = {
  ...modelDefaults,
  n: 10,
  promptVersion: 'input-from-inputs-v0',
  temperature: 0.9,
  topK: -1,
  topP: 1,
  batchSize: 8,
  constrained: false,
} as const;

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

/**
 * Draws new inputs (or outputs, with a prompt kind that asks for them) for each task of a data set; of an id
 * with several variants the first is used.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 */
export async function generateInputs(
  options: GenerateInputsOptions & GenerationHooks,
): Promise<GenerateInputsResult> {
  const o = { ...generateInputsDefaults, ...withoutUndefined(options) };
  const kind = promptKindFor(
    o.promptVersion,
    ['input-from-inputs', 'output-from-outputs'],
    'generation of grids',
  );
  const dataset = loadDataset(o.datasetPath);
  const tasks = new Map([...dataset].map(([taskId, variants]) => [taskId, variants[0]!]));
  const taken = [o.datasetPath];
  if (o.outputFilepath !== undefined) {
    assertWritableFile(o.outputFilepath, '--output_filepath', taken);
    taken.push(o.outputFilepath);
  }
  if (o.htmlFilepath !== undefined) assertWritableFile(o.htmlFilepath, '--html_filepath', taken);
  const session = await openPrompts(o);
  const prompts = session.builder(kind);
  const maxNewTokens = o.maxOutputTokens ?? session.mostGridTokens;

  const requests = [...tasks].flatMap(([taskId, task]) => {
    const budget = session.maxSeqLen - Math.min(maxNewTokens, session.gridTokens(largestGrid(task)));
    const prompt = fitPrompt(prompts, task, task.test.length, budget);
    if (prompt === null) return [];
    const grammar = o.constrained ? { grammar: prompts.answerGrammar } : {};
    return [{ tokens: prompt.tokens, samples: o.n, stream: taskId, ...grammar }];
  });
  if (requests.length === 0) {
    throw new UserError(
      `--max_seq_len ${session.maxSeqLen}: no prompt of ${o.datasetPath} fits with its answer`,
    );
  }
  const tooLong = tasks.size - requests.length;
  if (tooLong > 0) options.onNote?.(`${tooLong} of ${tasks.size} prompts are too long`);

  const decoder = await session.loadDecoder();
  let completions: Completion[][];
  try {
    completions = await generate(decoder, session.tokenizer, requests, {
      ...o,
      maxNewTokens,
      maxSeqLen: session.maxSeqLen,
    });
  } finally {
    decoder.dispose();
  }

  let valid = 0;
  const grids = new Map<string, GeneratedGrid[]>();
  for (const [i, { stream: taskId }] of requests.entries()) {
    const answers = completions[i]!.map((completion) => ({
      ...completion,
      grid: readGrid(completion, prompts),
    }));
    valid += answers.filter(({ grid }) => grid !== null).length;
    grids.set(taskId, countGrids(answers, givenGrids(tasks.get(taskId)!, kind)));
  }
  const all = [...grids.values()].flat();
  if (o.outputFilepath !== undefined) writeFileAtomic(o.outputFilepath, toJson(grids));
  const result = {
    grids,
    drawn: requests.length * o.n,
    valid,
    different: all.length,
    fresh: all.filter(({ isNew }) => isNew).length,
    tooLong,
  };
  if (o.htmlFilepath !== undefined) await saveReport(o.htmlFilepath, toReport(result, tasks, kind));
  return result;
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
