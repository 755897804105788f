import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { assertWritableFolder, temporaryName, writeFileAtomic, writeJson } from '../common/files.js';
import type { FloatType } from '../tensors/precision.js';
import type * as tf from '../tensors/tf.js';
import {
  type AdapterBase,
  adapterConfigName,
  adapterTensorNames,
  adapterWeightsName,
  initialRankKey,
  initKey,
} from './adapter-names.js';
import type { AdapterState, FloatsOnHost } from './adapter-state.js';
import { fromPattern } from './adapter-targets.js';
import { adapterState } from './attach.js';
import { baseTable } from './base-tables.js';
import type { Decoder } from './decoder.js';
import { AdapterError, ModelFileError } from './errors.js';
import { type LoraOptions, loraScaling } from './lora.js';
import { numbersAsTheyWere, withNumbersAsTheyAre } from './number-spelling.js';
import { type HostTensor, saveSafetensors, type TensorToWrite, writeSafetensors } from './safetensors.js';
import { toHost } from './to-host.js';
import { transposed } from './transposed.js';
import { vocabularyWeights } from './weight-names.js';

/**
 * Writes the adapter in PEFT's format. PiSSA is written as PEFT converts it: the change against the untouched
 * base as a plain LoRA of twice the rank, [A; A₀] and [B, −B₀].
 * @throws {AdapterError} when the decoder has no adapter
 */
export async function saveAdapter(decoder: Decoder, folder: string): Promise<void> {
  if (!decoder.lora || decoder.matrices().every(({ adapter }) => !adapter))
    throw new AdapterError(`${folder}: the model has no adapter to save`);
  writeAdapter(folder, await adapterState(decoder), decoder.adapterBase());
}

/**
 * Writes an adapter that is on the host in PEFT's format, as {@link saveAdapter}; one of PEFT's own PiSSA is written
 * as it was read.
 * @param decoder the base, for its name and those of its matrices
 */
export function writeAdapter(
  folder: string,
  { options: lora, modules, saved, pissaBase }: AdapterState,
  { source, targets }: Pick<AdapterBase, 'source' | 'targets'>,
): void {
  const converted = [...modules.values()].some(({ initialRank }) => initialRank !== undefined);
  const tensors = [...modules].flatMap(([name, { a, b, magnitude }]): [string, HostTensor][] => {
    const use = targets.get(name)?.use ?? 'projection';
    const names = adapterTensorNames(use);
    const own = (tensor: FloatsOnHost) => (use === 'embedding' ? transposed(tensor) : tensor);
    const all: [string, HostTensor][] = [
      [names.a, own(a)],
      [names.b, own(b)],
    ];
    if (magnitude) all.push([names.magnitude, magnitude]);
    return all.map(([end, tensor]) => [`base_model.model.${name}.${end}`, tensor]);
  });
  for (const [name, tensor] of saved) tensors.push([`base_model.model.${name}`, tensor]);
  const rankFactor = converted ? 2 : 1;
  const alphaFactor = lora.useRslora ? Math.sqrt(rankFactor) : rankFactor;
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: source?.name ?? null,
    inference_mode: true,
    r: lora.rank * rankFactor,
    lora_alpha: lora.alpha * alphaFactor,
    lora_dropout: lora.dropout,
    target_modules: targetsOf([...targets.keys()], modules),
    exclude_modules: lora.excludeModules ?? null,
    use_rslora: lora.useRslora,
    use_dora: lora.useDora,
    init_lora_weights: pissaBase ? 'pissa' : lora.init === 'gaussian' ? 'gaussian' : true,
    bias: 'none',
    fan_in_fan_out: false,
    modules_to_save: lora.modulesToSave ?? null,
    ...patternsOf(modules, lora, { rankFactor, alphaFactor }),
  };
  mkdirSync(folder, { recursive: true });
  writeSafetensors(join(folder, adapterWeightsName), tensors, {
    format: 'pt',
    ...(converted ? { [initialRankKey]: String(lora.rank), [initKey]: lora.init } : {}),
  });
  writeJson(join(folder, adapterConfigName), config);
}

/** {@link saveAdapter} into a folder that is not there before it is whole. */
export async function saveAdapterWhole(decoder: Decoder, folder: string): Promise<void> {
  const temporary = temporaryName(folder);
  try {
    await saveAdapter(decoder, temporary);
    renameSync(temporary, folder);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The matrices with an adapter as PEFT names them: by the last part of the name where that means no other. */
function targetsOf(matrices: readonly string[], adapted: AdapterState['modules']): string[] {
  const lastPart = (name: string) => name.split('.').at(-1)!;
  const without = matrices.filter((name) => !adapted.has(name)).map(lastPart);
  const names = matrices
    .filter((name) => adapted.has(name))
    .map((name) => (without.includes(lastPart(name)) ? name : lastPart(name)));
  return [...new Set(names)];
}

/** What each matrix has of a value, against that of the whole adapter and what was asked for by pattern. */
interface Pattern {
  readonly common: number;
  readonly given: Readonly<Record<string, number>> | undefined;
  /** What the given values are multiplied by in files. */
  readonly factor: number;
  readonly own: ReadonlyMap<string, number>;
}

/** The values that differ from the common one: by the patterns that were given if those match all of them, else by name. */
function patternOf({ common, given = {}, factor, own }: Pattern): Record<string, number> {
  const scaled = Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, rounded(value * factor)]),
  );
  if ([...own].every(([name, value]) => (fromPattern(scaled, name) ?? common) === value)) return scaled;
  return Object.fromEntries([...own].filter(([, value]) => value !== common));
}

/** Without what rounding has added. */
const rounded = (value: number): number => Number(value.toPrecision(12));

/** The ranks and alphas that differ from the adapter's own, by PEFT's patterns. */
function patternsOf(
  modules: AdapterState['modules'],
  { rank, alpha, useRslora, rankPattern, alphaPattern }: LoraOptions,
  { rankFactor, alphaFactor }: { rankFactor: number; alphaFactor: number },
): { rank_pattern: Record<string, number>; alpha_pattern: Record<string, number> } {
  const ranks = new Map(Array.from(modules, ([name, { a }]) => [name, a.shape[0]!]));
  const alphas = new Map(
    Array.from(modules, ([name, { a, scaling }]) => [
      name,
      rounded(scaling / loraScaling(1, a.shape[0]!, useRslora)),
    ]),
  );
  return {
    rank_pattern: patternOf({
      common: rank * rankFactor,
      given: rankPattern,
      factor: rankFactor,
      own: ranks,
    }),
    alpha_pattern: patternOf({
      common: rounded(alpha * alphaFactor),
      given: alphaPattern,
      factor: alphaFactor,
      own: alphas,
    }),
  };
}

/**
 * Writes a Hugging Face folder: the weights with the adapter folded in, and what else lies in the folder that
 * the base came from (configuration, tokenizer, chat template). The decoder keeps its adapter. A vocabulary that
 * was cut is whole again: the rows that were left out are the base's own.
 */
export async function saveModel(
  decoder: Decoder,
  folder: string,
  { dtype = decoder.storedType }: { dtype?: FloatType } = {},
): Promise<void> {
  await writeModel(decoder, folder, dtype, {
    prepare: (target) => copyCompanions(folderOf(decoder), target, companions),
    settings: (config) => config,
    table: (name, rows, width) => (decoder.cut ? withCutRows(decoder, name, rows, width) : rows),
    rows: decoder.config.vocabSize,
  });
}

/** What goes into the folder of a model whose vocabulary stays cut. */
export interface PrunedFiles {
  dtype?: FloatType;
  /** Changes what config.json says. */
  settings(config: Record<string, unknown>): Record<string, unknown>;
  /** Contents of JSON files, by name: those of the tokenizer. Numbers may be kept as they are spelt. */
  files: ReadonlyMap<string, unknown>;
  /** Whether a chat_template.jinja of the base goes with them. */
  keepsTemplate: boolean;
}

/** As {@link saveModel}, with the rows of a cut vocabulary alone, which get new ids. */
export async function savePrunedModel(
  decoder: Decoder,
  folder: string,
  { dtype = decoder.storedType, settings, files, keepsTemplate }: PrunedFiles,
): Promise<void> {
  const rows = decoder.cut?.kept.length ?? decoder.config.vocabSize;
  await writeModel(decoder, folder, dtype, {
    prepare(target) {
      copyCompanions(folderOf(decoder), target, keepsTemplate ? /^(LICENSE.*|.*\.jinja)$/ : /^LICENSE/);
      for (const [name, content] of files)
        writeFileAtomic(join(target, name), numbersAsTheyWere(JSON.stringify(content, null, 2)) + '\n');
    },
    settings: (config) => ({ ...settings(config), vocab_size: rows }),
    table: (_, values) => values,
    rows,
  });
}

/** Writes weights and config.json. @param table makes what is written of the kept rows of embeddings or head */
async function writeModel(
  decoder: Decoder,
  folder: string,
  dtype: FloatType,
  parts: {
    prepare(target: string): void;
    settings(config: Record<string, unknown>): Record<string, unknown>;
    table(name: string, rows: Float32Array, width: number): Float32Array;
    rows: number;
  },
): Promise<void> {
  const dense = new Map<string, tf.Tensor | (() => tf.Tensor)>([
    ...decoder.matrices().map(({ name, weight }) => [`${name}.weight`, () => weight.dense()] as const),
    ...decoder
      .parts()
      .flatMap((part) => part.vectors)
      .map(({ name, tensor }) => [name, tensor] as const),
  ]);
  const { embeddings, head } = vocabularyWeights(decoder.config);
  const all = decoder.weights();
  // an adapter on one of two tied tables makes them two
  const tied = decoder.isHeadTied;
  if (!tied && !all.has(head)) all.set(head, all.get(embeddings)!);
  if (!decoder.matrices().every(({ weight }) => weight.takesSums)) {
    throw new ModelFileError(
      `${folder}: the model's weights are rounded (\`weights: int8\`), and are not saved so; load it without \`weights\``,
    );
  }
  const made = startFolder(folder);
  try {
    const { target } = made;
    parts.prepare(target);
    const config = withNumbersAsTheyAre(readFileSync(join(folderOf(decoder), 'config.json'), 'utf8'));
    // transformers 5 writes dtype, before it was torch_dtype
    const key = 'dtype' in config ? 'dtype' : 'torch_dtype';
    const isSaid = 'tie_word_embeddings' in config || tied !== decoder.config.tieWordEmbeddings;
    const saved = {
      ...parts.settings(config),
      [key]: dtype,
      // the head may have been found to be another than the embeddings
      ...(isSaid ? { tie_word_embeddings: tied } : {}),
    };
    writeFileAtomic(join(target, 'config.json'), numbersAsTheyWere(JSON.stringify(saved, null, 2)) + '\n');
    const format = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' }[dtype];
    const tensors = Array.from(all, ([name, tensor]): [string, TensorToWrite<Promise<Float32Array>>] => {
      const values = async () => (await toHost(dense.get(name) ?? tensor)).values;
      if (name !== embeddings && name !== head) return [name, { shape: tensor.shape, dtype: format, values }];
      const width = tensor.shape[1]!;
      const whole = async () => parts.table(name, await values(), width);
      return [name, { shape: [parts.rows, width], dtype: format, values: whole }];
    });
    await saveSafetensors(join(target, 'model.safetensors'), tensors);
    made.keep();
  } finally {
    made.close();
  }
}

/** The base's whole table with the rows of a cut vocabulary in their places. @param name of the weight */
function withCutRows(decoder: Decoder, name: string, rows: Float32Array, width: number): Float32Array {
  const { values } = baseTable(decoder.adapterBase(), name.replace(/\.weight$/, ''));
  decoder.cut?.restore(rows, values, width);
  return values;
}

/** Makes sure that a new folder can be made. @throws {UserError} also when there are files in it */
export function assertNewFolder(folder: string): void {
  assertWritableFolder(folder, '`outputDir`');
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new ModelFileError(`${folder}: the folder is not empty, give \`outputDir\` a new one`);
  }
}

/** A folder that is being written: under a temporary name until it is kept. One that exists is written file by file. */
export function startFolder(folder: string): { target: string; keep(): void; close(): void } {
  if (existsSync(folder)) return { target: folder, keep() {}, close() {} };
  const target = temporaryName(folder.replace(/\/+$/, ''));
  mkdirSync(target, { recursive: true });
  return {
    target,
    keep: () => renameSync(target, folder),
    /** Removes what was not kept. */
    close: () => rmSync(target, { recursive: true, force: true }),
  };
}

/** The path of the folder that a model was loaded from. */
function folderOf({ source }: Decoder): string {
  if (source) return source.name;
  throw new ModelFileError(
    'the model was not loaded from a folder, whose configuration could be saved with it',
  );
}

/** What a model folder holds besides its weights and config.json. */
const companions =
  /^(generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template|vocab)\.json$|^(merges\.txt|tokenizer\.model|LICENSE.*|.*\.jinja)$/;

function copyCompanions(source: string, target: string, wanted: RegExp): void {
  for (const name of readdirSync(source)) {
    if (wanted.test(name)) copyFileSync(join(source, name), join(target, name));
  }
}
