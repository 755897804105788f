import type { Grid, Task } from '../arc/types.js';
import { UserError } from '../common/errors.js';
import { type Decoder, type DecoderConfig, loadDecoder, readConfig, resolveModel } from '../models/index.js';
import {
  type ChatTokenizer,
  type GridEncoder,
  getPromptKind,
  loadTokenizer,
  PromptBuilder,
  type PromptKind,
  type PromptTask,
  parseGridEncoder,
  promptVocabulary,
} from '../prompts/index.js';
import { initBackend } from '../tensors/backend.js';
import type { FloatType } from '../tensors/precision.js';

/** Which model, and how tasks are written for it. */
export interface ModelOptions {
  /** A Hugging Face model folder or hub id. */
  modelPath: string;
  /** A folder with a PEFT adapter for it, or a hub id. */
  adapterPath?: string;
  gridEncoder?: string;
  /** The longest prompt and answer together, in tokens; never more than the model's own limit. */
  maxSeqLen?: number;
  /** Give embeddings and head only to the tokens that prompts and answers can have. */
  pruneVocab?: boolean;
  /** Default: ARCLAB_BACKEND, else the best present. */
  backend?: string;
  /** `cpu`, `cuda` or `cuda:N`; default: the first GPU that the backend can use, else the CPU. */
  device?: string;
  /** What weights, activations and the cache are kept in; default float32. */
  torchDtype?: FloatType;
}

/** What a model's options are when they are not given. */
export const modelDefaults = {
  gridEncoder: 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
  maxSeqLen: 8192,
  pruneVocab: false,
  seed: 7,
} as const;

/** The largest grid that there is. */
const LARGEST_GRID: Grid = Array.from({ length: 30 }, () => new Array<number>(30).fill(0));

/** A model's folder and tokenizer, without its weights: all that prompts need. */
export interface PromptSession {
  readonly folder: string;
  readonly adapterFolder?: string;
  readonly tokenizer: ChatTokenizer;
  readonly maxSeqLen: number;
  /** Makes the prompts of one kind. */
  builder(kind: PromptKind): PromptBuilder;
  /** How many tokens a grid and the end of turn take. */
  gridTokens(grid: Grid): number;
  /** Enough tokens for any grid, however it is cut into tokens. */
  readonly mostGridTokens: number;
  /** Loads the weights. @throws {UserError} when they do not fit the tokenizer or the adapter */
  loadDecoder(): Promise<Decoder>;
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
  return { tokenizer, modelConfig };
}

/** Finds the model's files and opens its tokenizer; downloads what is missing, loads no weights. */
export async function openPrompts(options: ModelOptions): Promise<PromptSession> {
  const encoder: GridEncoder = parseGridEncoder(options.gridEncoder ?? modelDefaults.gridEncoder);
  const folder = await resolveModel(options.modelPath);
  const adapterFolder =
    options.adapterPath === undefined ? undefined : await resolveModel(options.adapterPath);
  const { tokenizer, modelConfig } = openTokenizer(folder);
  const vocabulary = options.pruneVocab ? promptVocabulary(tokenizer, encoder) : undefined;
  return {
    folder,
    ...(adapterFolder === undefined ? {} : { adapterFolder }),
    tokenizer,
    maxSeqLen: Math.min(options.maxSeqLen ?? modelDefaults.maxSeqLen, modelConfig.maxPositionEmbeddings),
    builder: (kind) => new PromptBuilder({ tokenizer, encoder, kind }),
    gridTokens: (grid) => tokenizer.encode(encoder.encode(grid)).length + 1,
    // no token is shorter than a character, but for those that byte-level vocabularies have only in pieces
    mostGridTokens: Buffer.byteLength(encoder.encode(LARGEST_GRID)) + 1,
    async loadDecoder() {
      await initBackend(options.backend, options);
      return loadDecoder(folder, {
        merge: true,
        ...(vocabulary ? { vocabulary } : {}),
        ...(options.torchDtype ? { floatType: options.torchDtype } : {}),
        ...(adapterFolder === undefined ? {} : { adapterPath: adapterFolder }),
      });
    },
  };
}

/** The prompt kind of a name. @throws {UserError} when it asks for something else than this command needs */
export function promptKindFor(name: string, tasks: readonly PromptTask[], command: string): PromptKind {
  const kind = getPromptKind(name);
  if (!tasks.includes(kind.task)) {
    throw new UserError(
      `--prompt_version ${name} asks for ${kind.task}; ${command} needs one that asks for ${tasks.join(' or ')}`,
    );
  }
  return kind;
}

/** The known grid of a task that has the most cells: an answer may be as large. */
export function largestGrid({ train, test }: Task): Grid {
  const grids = [...train.flatMap(({ input, output }) => [input, output])];
  for (const { input, output } of test) grids.push(input, ...(output ? [output] : []));
  const cells = (grid: Grid) => grid.length * grid[0]!.length;
  return grids.reduce((a, b) => (cells(b) > cells(a) ? b : a));
}
