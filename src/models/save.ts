import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { assertWritableFolder, readJson, temporaryName, writeFileAtomic } from '../common/files.js';
import type { FloatType } from '../tensors/precision.js';
import * as tf from '../tensors/tf.js';
import { adapterConfigName, adapterWeightsName, pissaRankKey } from './adapter-files.js';
import type { Decoder } from './decoder.js';
import { AdapterError, ModelFileError } from './errors.js';
import { type LoraOptions, loraScaling, type Projection } from './lora.js';
import { type HostTensor, type TensorToWrite, writeSafetensors } from './safetensors.js';
import { vocabularyWeights } from './vocabulary-cut.js';
import { ModelWeights, weightShapes } from './weights.js';

/**
 * Writes the adapter in PEFT's format. PiSSA is written as PEFT converts it: the change against the untouched
 * base as a plain LoRA of twice the rank, [A; A₀] and [B, −B₀].
 * @throws {AdapterError} when the decoder has no adapter
 */
export function saveAdapter(decoder: Decoder, folder: string): void {
  const { lora } = decoder;
  const adapted = decoder.projections().filter(({ adapter }) => adapter !== undefined);
  if (!lora || adapted.length === 0) throw new AdapterError(`${folder}: the model has no adapter to save`);
  const converted = adapted.some(({ adapter }) => adapter?.initial);
  const tensors: [string, HostTensor][] = [];
  for (const { name, adapter } of adapted) {
    const { a, b, magnitude, initial } = adapter!;
    const prefix = `base_model.model.${name}`;
    tensors.push([`${prefix}.lora_A.weight`, toHost(initial ? () => tf.concat([a, initial.a], 0) : a)]);
    tensors.push([
      `${prefix}.lora_B.weight`,
      toHost(initial ? () => tf.concat([b, tf.neg(initial.b)], 1) : b),
    ]);
    if (magnitude) tensors.push([`${prefix}.lora_magnitude_vector`, toHost(magnitude)]);
  }
  const factor = converted ? 2 : 1;
  const config = {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: decoder.source || null,
    inference_mode: true,
    r: lora.rank * factor,
    lora_alpha: lora.alpha * (lora.useRslora ? Math.sqrt(factor) : factor),
    lora_dropout: lora.dropout,
    target_modules: targetsOf(decoder.projections()),
    use_rslora: lora.useRslora,
    use_dora: lora.useDora,
    init_lora_weights: lora.init === 'gaussian' ? 'gaussian' : true,
    bias: 'none',
    fan_in_fan_out: false,
    modules_to_save: null,
    ...patternsOf(adapted, lora, factor),
  };
  mkdirSync(folder, { recursive: true });
  writeSafetensors(join(folder, adapterWeightsName), tensors, {
    format: 'pt',
    ...(converted ? { [pissaRankKey]: String(lora.rank) } : {}),
  });
  writeFileAtomic(join(folder, adapterConfigName), JSON.stringify(config, null, 2) + '\n');
}

/** The projections with an adapter as PEFT names them: by the last part of the name where that means no other. */
function targetsOf(projections: readonly Projection[]): string[] {
  const lastPart = (name: string) => name.split('.').at(-1)!;
  const without = projections.filter(({ adapter }) => !adapter).map(({ name }) => lastPart(name));
  const names = projections
    .filter(({ adapter }) => adapter)
    .map(({ name }) => (without.includes(lastPart(name)) ? name : lastPart(name)));
  return [...new Set(names)];
}

/** The ranks and alphas that differ from the adapter's own, by the projection's name. */
function patternsOf(
  adapted: readonly Projection[],
  { rank, alpha, useRslora }: LoraOptions,
  factor: number,
): { rank_pattern: Record<string, number>; alpha_pattern: Record<string, number> } {
  const patterns = {
    rank_pattern: {} as Record<string, number>,
    alpha_pattern: {} as Record<string, number>,
  };
  for (const { name, adapter } of adapted) {
    const own = adapter!.a.shape[0]!;
    if (own !== rank) patterns.rank_pattern[name] = own * factor;
    if (adapter!.scaling === loraScaling(alpha, own, useRslora)) continue;
    const ownAlpha = adapter!.scaling / loraScaling(1, own * factor, useRslora);
    patterns.alpha_pattern[name] = Number(ownAlpha.toPrecision(12)); // without what rounding has added
  }
  return patterns;
}

/**
 * Writes a Hugging Face folder: the weights with the adapter folded in, and what else lies in the folder that
 * the base came from (configuration, tokenizer, chat template). The decoder keeps its adapter. A vocabulary that
 * was cut is whole again: the rows that were left out are the base's own.
 */
export function saveModel(
  decoder: Decoder,
  folder: string,
  { dtype = decoder.storedType }: { dtype?: FloatType } = {},
): void {
  const merged = new Map(
    decoder
      .projections()
      .flatMap((p) => (p.adapter ? [[`${p.name}.weight`, () => p.mergedWeight()]] : [])) as [
      string,
      () => tf.Tensor,
    ][],
  );
  writeFolder(folder, (target) => {
    copyCompanions(decoder.source, target);
    const config = readJson(join(decoder.source, 'config.json')) as Record<string, unknown>;
    // transformers 5 writes dtype, before it was torch_dtype
    const key = 'dtype' in config ? 'dtype' : 'torch_dtype';
    writeFileAtomic(join(target, 'config.json'), JSON.stringify({ ...config, [key]: dtype }, null, 2) + '\n');
    const format = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' }[dtype];
    const tensors = Array.from(decoder.weights(), ([name, tensor]): [string, TensorToWrite] => {
      const values = () => toHost(merged.get(name) ?? tensor).values as Float32Array;
      if (!decoder.cut || !vocabularyWeights.includes(name))
        return [name, { shape: tensor.shape, dtype: format, values }];
      const width = tensor.shape[1]!;
      const whole = () => withCutRows(decoder, name, values(), width);
      return [name, { shape: [decoder.config.vocabSize, width], dtype: format, values: whole }];
    });
    writeSafetensors(join(target, 'model.safetensors'), tensors);
  });
}

/** The base's whole table with the rows of a cut vocabulary in their places. */
function withCutRows(
  { source, config, cut }: Decoder,
  name: string,
  rows: Float32Array,
  width: number,
): Float32Array {
  const files = new ModelWeights(source, weightShapes(config));
  try {
    const { values } = files.values(name);
    cut?.restore(rows, values, width);
    return values;
  } finally {
    files.close();
  }
}

/** Makes sure that a new folder can be made. @throws {UserError} also when there are files in it */
export function assertNewFolder(folder: string): void {
  assertWritableFolder(folder, '--output_dir');
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new ModelFileError(`${folder}: the folder is not empty, give --output_dir a new one`);
  }
}

/** Writes a folder under a temporary name and renames it; into a folder that exists, file by file. */
export function writeFolder(folder: string, write: (target: string) => void): void {
  if (existsSync(folder)) {
    write(folder);
    return;
  }
  const temporary = temporaryName(folder.replace(/\/+$/, ''));
  mkdirSync(temporary, { recursive: true });
  try {
    write(temporary);
    renameSync(temporary, folder);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

/** What a model folder holds besides its weights and config.json. */
const companions =
  /^(generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|chat_template|vocab)\.json$|^(merges\.txt|tokenizer\.model|LICENSE.*|.*\.jinja)$/;

function copyCompanions(source: string, target: string): void {
  for (const name of readdirSync(source)) {
    if (companions.test(name)) copyFileSync(join(source, name), join(target, name));
  }
}

/** Values of a tensor on the host; a function's tensor is disposed of. */
function toHost(source: tf.Tensor | (() => tf.Tensor)): HostTensor {
  if (typeof source !== 'function') {
    return { shape: source.shape, values: source.dataSync<'float32'>(), dtype: 'F32' };
  }
  const tensor = tf.tidy(source);
  const values = tensor.dataSync<'float32'>().slice();
  const { shape } = tensor;
  tensor.dispose();
  return { shape, values, dtype: 'F32' };
}
