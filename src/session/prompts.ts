import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Grid, Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { fingerprintModel } from '../models/fingerprint.js';
import { type Decoder, type DecoderConfig, loadDecoder, readConfig, resolveModel } from '../models/index.js';
import { modelOptions } from '../options/model.js';
import type { OptionsOf } from '../options/table.js';
import {
  type ChatTokenizer,
  type GridEncoder,
  getPromptKind,
  kindsOfCut,
  loadTokenizer,
  PromptBuilder,
  type PromptKind,
  type PromptTask,
  parseGridEncoder,
  promptVocabulary,
} from '../prompts/index.js';
import { initBackend } from '../tensors/backend.js';

/** Which model, and how tasks are written for it. */
export type ModelOptions = OptionsOf<typeof modelOptions> & {
  /** The prompt kinds that it is used with, where that is known when it is opened. */
  promptVersion?: string | readonly string[] | undefined;
};

/** The largest grid that there is. */
const LARGEST_GRID: Grid = Array.from({ length: 30 }, () => new Array<number>(30).fill(0));

/** A model's folder and tokenizer, without its weights: all that prompts need. */
export interface PromptSession {
  readonly folder: string;
  readonly tokenizer: ChatTokenizer;
  /** Notes about the use of the model, one line each. */
  readonly notes: readonly string[];
  readonly maxSeqLen: number;
  /** Makes the prompts of one kind. */
  builder(kind: PromptKind): PromptBuilder;
  /** How many tokens a grid and the end of turn take. */
  gridTokens(grid: Grid): number;
  /** Enough tokens for any grid, however it is cut into tokens. */
  readonly mostGridTokens: number;
  /** Loads the weights. @throws {UserError} when they do not fit the tokenizer or the adapter */
  loadDecoder(): Promise<Decoder>;
  /** Gives back what {@link loadDecoder} gave. */
  release(decoder: Decoder): void;
  /** What names the adapter in files that are continued. */
  adapterIdentity(): string;
}

/** A model's configuration and tokenizer. @throws {UserError} when the tokenizer has tokens without an embedding */
export function openTokenizer(folder: string): { tokenizer: ChatTokenizer; modelConfig: DecoderConfig } {
  const modelConfig = readConfig(folder);
  const tokenizer = loadTokenizer(folder);
  if (tokenizer.vocabSize > modelConfig.vocabSize) {
    throw new UserError(
      `${folder}: its tokenizer knows ${tokenizer.vocabSize} tokens, its model only ${modelConfig.vocabSize}`,
    );
  }
  // ids beyond the embeddings are never generated, so nothing ends there
  const stopIds = tokenizer.stopIds.filter((id) => id < modelConfig.vocabSize);
  return { tokenizer: { ...tokenizer, stopIds }, modelConfig };
}

/** A note that a checkpoint was trained with another vocabulary than it is used with. */
export function prunedNote(folder: string | null | undefined): string[] {
  const path = folder === undefined || folder === null ? undefined : join(folder, 'cfg.json');
  if (path === undefined || !existsSync(path)) return [];
  const options = readJson(path, "a checkpoint's options") as { pruneVocab?: unknown } | null;
  if (options?.pruneVocab !== true) return [];
  return [
    `${folder} was trained with \`pruneVocab\` and is used without it: probabilities are then normalised over ` +
      'tokens that it was not trained to tell apart',
  ];
}

/** A note that a model brings no chat template. */
export function plainTemplateNote(folder: string, tokenizer: ChatTokenizer): string[] {
  if (!tokenizer.hasPlainTemplate) return [];
  const end = JSON.stringify(tokenizer.tokenText(tokenizer.endOfTurnId));
  return [
    `${folder} has no chat template, as base models: turns are written plainly, each after its role, and answers end ` +
      `with ${end}, which fine-tuning has to teach`,
  ];
}

/** Finds the model's files and opens its tokenizer; downloads what is missing, loads no weights. */
export async function openPrompts(options: ModelOptions): Promise<PromptSession> {
  const encoder: GridEncoder = parseGridEncoder(options.gridEncoder ?? modelOptions.gridEncoder.default);
  const folder = await resolveModel(options.modelPath);
  const adapterFolder =
    options.adapterPath === undefined ? undefined : await resolveModel(options.adapterPath);
  const { tokenizer, modelConfig } = openTokenizer(folder);
  const kinds = kindsOfCut([options.promptVersion ?? []].flat());
  const vocabulary = options.pruneVocab ? promptVocabulary(tokenizer, encoder, kinds) : undefined;
  return {
    folder,
    tokenizer,
    notes: [
      ...plainTemplateNote(folder, tokenizer),
      ...(options.pruneVocab ? [] : [adapterFolder, folder].flatMap(prunedNote)),
    ],
    maxSeqLen: Math.min(
      options.maxSeqLen ?? modelOptions.maxSeqLen.default,
      modelConfig.maxPositionEmbeddings,
    ),
    builder: (kind) => new PromptBuilder({ tokenizer, encoder, kind }),
    gridTokens: (grid) => tokenizer.encode(encoder.encode(grid)).length + 1,
    // no token is shorter than a character, but for those that byte-level vocabularies have only in pieces
    mostGridTokens: Buffer.byteLength(encoder.encode(LARGEST_GRID)) + 1,
    async loadDecoder() {
      await initBackend(options.backend, options);
      const { dtype: floatType, weights } = options;
      return loadDecoder(folder, { merge: true, vocabulary, floatType, weights, adapterPath: adapterFolder });
    },
    release: (decoder) => decoder.dispose(),
    adapterIdentity: () => (adapterFolder === undefined ? 'none' : fingerprintModel(adapterFolder)),
  };
}

/** The prompt kind of a name. @throws {UserError} when it asks for something else than this command needs */
export function promptKindFor(name: string, tasks: readonly PromptTask[], command: string): PromptKind {
  const kind = getPromptKind(name);
  if (!tasks.includes(kind.task)) {
    throw new UserError(
      `\`promptVersion: ${name}\` asks for ${kind.task}; ${command} needs one that asks for ${tasks.join(' or ')}`,
    );
  }
  return kind;
}

/** How many tokens the answer to a task may take: as many as its largest grid, but no more than `maxNewTokens`. */
export function answerTokensOf(
  session: PromptSession,
  maxNewTokens = session.mostGridTokens,
): (task: Task) => number {
  return (task) => Math.min(maxNewTokens, session.gridTokens(largestGrid(task)));
}

/** The known grid of a task that has the most cells: an answer may be as large. */
function largestGrid({ train, test }: Task): Grid {
  const grids = [...train.flatMap(({ input, output }) => [input, output])];
  for (const { input, output } of test) grids.push(input, ...(output ? [output] : []));
  const cells = (grid: Grid) => grid.length * grid[0]!.length;
  return grids.reduce((a, b) => (cells(b) > cells(a) ? b : a));
}
