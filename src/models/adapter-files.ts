import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FromSchema } from 'json-schema-to-ts';
import { readJson } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import { AdapterError } from './errors.js';
import { type LoraOptions, loraScaling } from './lora.js';
import { type HostTensor, SafetensorsFile } from './safetensors.js';

/** PEFT's names of the two files of an adapter folder. */
export const adapterConfigName = 'adapter_config.json';
export const adapterWeightsName = 'adapter_model.safetensors';

/**
 * Set in the header of adapter_model.safetensors when its second half undoes PiSSA's change to the base: PEFT
 * sees a plain LoRA of twice the rank, and training can be continued from the first half.
 */
export const pissaRankKey = 'arclab_pissa_rank';

/** One projection's part of an adapter on the host: a [rank, in], b [out, rank], magnitude [out]. */
export interface AdapterModule {
  a: HostTensor & { values: Float32Array };
  b: HostTensor & { values: Float32Array };
  magnitude?: HostTensor & { values: Float32Array };
  scaling: number;
  /** The rank that is trained, when the rest of A and B undoes PiSSA's change to the base. */
  initialRank?: number;
}

/** An adapter folder, read and found to fit the base. */
export interface AdapterFile {
  options: LoraOptions;
  /** By the projection's name, such as `model.layers.0.self_attn.q_proj`. */
  modules: Map<string, AdapterModule>;
  /** PEFT saved a PiSSA adapter as it is: it belongs to a base from which the principal part was taken. */
  pissaBase: boolean;
}

const schema = {
  type: 'object',
  required: ['peft_type', 'r'],
  properties: {
    peft_type: { type: 'string' },
    r: { type: 'integer', minimum: 1 },
    lora_alpha: { type: 'number' },
    lora_dropout: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
    target_modules: { type: ['array', 'string', 'null'], items: { type: 'string' } },
    use_rslora: { type: 'boolean' },
    use_dora: { type: 'boolean' },
    init_lora_weights: { type: ['boolean', 'string'] },
    rank_pattern: { type: ['object', 'null'], additionalProperties: { type: 'number' } },
    alpha_pattern: { type: ['object', 'null'], additionalProperties: { type: 'number' } },
    base_model_name_or_path: { type: ['string', 'null'] },
  },
} as const;

const validate = compileSchema<FromSchema<typeof schema>>(schema, "a PEFT adapter's configuration");

/** What PEFT takes for lora_alpha where it is not given. */
const DEFAULT_ALPHA = 8;

/** Settings of PEFT that change the computation and are not supported, with the values that are harmless. */
const harmless: Record<string, unknown[]> = {
  bias: ['none'],
  modules_to_save: [null],
  lora_bias: [false],
  fan_in_fan_out: [false],
  layer_replication: [null],
  trainable_token_indices: [null],
  target_parameters: [null],
  use_qalora: [false],
  alora_invocation_tokens: [null],
};

const keyPattern = /^base_model\.model\.(.+)\.(lora_A\.weight|lora_B\.weight|lora_magnitude_vector)$/;

/** Makes the error of a tensor that the base has no place for. */
type Misfit = (what: string) => AdapterError;

/**
 * Reads an adapter folder in PEFT's format and checks that it fits a base of the given weight shapes.
 * @throws {AdapterError} naming the file and the first thing that does not fit
 */
export function readAdapter(folder: string, shapes: ReadonlyMap<string, readonly number[]>): AdapterFile {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new AdapterError(`${folder}: no such folder. Expected a PEFT adapter folder`);
  }
  const config = readAdapterConfig(join(folder, adapterConfigName));
  const weightsPath = join(folder, adapterWeightsName);
  const doesNotFit = (what: string) =>
    new AdapterError(
      `${weightsPath}: the adapter does not fit the base model: ${what}` +
        (config.base_model_name_or_path ? ` (it was made for ${config.base_model_name_or_path})` : ''),
    );
  const file = new SafetensorsFile(weightsPath);
  try {
    const pissaRank = Number(file.metadata[pissaRankKey] ?? 0);
    const parts = readModules(file, shapes, doesNotFit);
    if (parts.size === 0) throw new AdapterError(`${weightsPath}: it holds no LoRA tensors`);
    const modules = new Map<string, AdapterModule>();
    for (const [name, part] of parts) {
      const module = completeModule(name, part, config, weightsPath, doesNotFit);
      modules.set(name, pissaRank > 0 ? { ...module, initialRank: pissaRank } : module);
    }
    // whole layers may be left out on purpose
    if (Array.isArray(config.target_modules) && (config.layers_to_transform ?? null) === null) {
      assertComplete(config.target_modules, modules, shapes, doesNotFit);
    }
    return {
      options: loraOptionsOf(config, pissaRank, modules),
      modules,
      pissaBase: String(config.init_lora_weights).startsWith('pissa'),
    };
  } finally {
    file.close();
  }
}

type AdapterConfig = FromSchema<typeof schema>;

/** Reads adapter_config.json. @throws {AdapterError} for what is not supported */
function readAdapterConfig(path: string): AdapterConfig {
  const config = validate(readJson(path, "a PEFT adapter's configuration"), path);
  if (config.peft_type !== 'LORA') {
    throw new AdapterError(`${path}: peft_type "${config.peft_type}" found, expected "LORA"`);
  }
  for (const [name, accepted] of Object.entries(harmless)) {
    const value = config[name] ?? accepted[0];
    if (!accepted.includes(value) && !(Array.isArray(value) && value.length === 0)) {
      throw new AdapterError(
        `${path}: ${name} = ${JSON.stringify(value)} is not supported, expected ${accepted[0]}`,
      );
    }
  }
  const init = String(config.init_lora_weights);
  if (['olora', 'corda', 'loftq', 'lora_ga'].some((method) => init.startsWith(method))) {
    throw new AdapterError(`${path}: init_lora_weights "${init}" changes the base and is not supported`);
  }
  return config;
}

/** The tensors of a file by projection. @throws {AdapterError} for one that the base has no place for */
function readModules(
  file: SafetensorsFile,
  shapes: ReadonlyMap<string, readonly number[]>,
  doesNotFit: Misfit,
): Map<string, Partial<AdapterModule>> {
  const modules = new Map<string, Partial<AdapterModule>>();
  for (const [key, entry] of file.tensors) {
    const [, name, part] = keyPattern.exec(key) ?? [];
    const shape = name ? shapes.get(`${name}.weight`) : undefined;
    if (!name || !part || shape?.length !== 2 || !name.endsWith('_proj')) {
      throw doesNotFit(`there is no projection for its tensor ${key}`);
    }
    const [out, input] = shape as [number, number];
    const rank = part === 'lora_A.weight' ? entry.shape[0]! : entry.shape[1]!;
    const expected =
      part === 'lora_A.weight' ? [rank, input] : part === 'lora_B.weight' ? [out, rank] : [out];
    if (entry.shape.join() !== expected.join()) {
      const words = part === 'lora_A.weight' ? `[rank, ${input}]` : `[${expected}]`;
      throw doesNotFit(`${key} has shape [${entry.shape}], expected ${words}`);
    }
    const tensor = file.read(key) as AdapterModule['a'];
    const module = modules.get(name) ?? {};
    modules.set(name, module);
    if (part === 'lora_A.weight') module.a = tensor;
    else if (part === 'lora_B.weight') module.b = tensor;
    else module.magnitude = tensor;
  }
  return modules;
}

/** A projection's part with its scaling. @throws {AdapterError} when it lacks a tensor, or is not what is configured */
function completeModule(
  name: string,
  { a, b, magnitude }: Partial<AdapterModule>,
  config: AdapterConfig,
  weightsPath: string,
  doesNotFit: Misfit,
): AdapterModule {
  if (!a || !b) throw doesNotFit(`${name} has no lora_${a ? 'B' : 'A'}.weight`);
  const rank = a.shape[0]!;
  if (b.shape[1] !== rank) throw doesNotFit(`${name} has rank ${rank} in lora_A and ${b.shape[1]} in lora_B`);
  const expectedRank = fromPattern(config.rank_pattern, name) ?? config.r;
  if (rank !== expectedRank) {
    throw new AdapterError(
      `${weightsPath}: ${name} has rank ${rank}, ${adapterConfigName} says ${expectedRank}`,
    );
  }
  const { use_dora: useDora = false, use_rslora: useRslora = false } = config;
  if (useDora !== (magnitude !== undefined)) {
    throw new AdapterError(
      `${weightsPath}: ${name} ${useDora ? 'lacks' : 'has'} a lora_magnitude_vector, ` +
        `${adapterConfigName} says use_dora: ${useDora}`,
    );
  }
  const alpha = fromPattern(config.alpha_pattern, name) ?? config.lora_alpha ?? DEFAULT_ALPHA;
  const scaling = loraScaling(alpha, rank, useRslora);
  return magnitude ? { a, b, magnitude, scaling } : { a, b, scaling };
}

/** The options that training began with. @param pissaRank half of the file's rank; 0 where the base is untouched */
function loraOptionsOf(
  config: AdapterConfig,
  pissaRank: number,
  modules: ReadonlyMap<string, unknown>,
): LoraOptions {
  const { lora_alpha: alpha = DEFAULT_ALPHA, use_rslora: useRslora = false } = config;
  const init = String(config.init_lora_weights);
  return {
    rank: pissaRank || config.r,
    alpha: pissaRank ? (useRslora ? alpha / Math.SQRT2 : alpha / 2) : alpha,
    dropout: config.lora_dropout ?? 0,
    targetModules: [...new Set(Array.from(modules.keys(), (name) => name.split('.').at(-1)!))],
    useRslora,
    useDora: config.use_dora ?? false,
    init: init.startsWith('pissa') || pissaRank > 0 ? 'pissa' : init === 'gaussian' ? 'gaussian' : 'default',
  };
}

/** A value that PEFT sets for modules whose name ends in, or matches, a pattern. */
function fromPattern(patterns: Record<string, number> | null | undefined, name: string): number | undefined {
  const found = Object.keys(patterns ?? {}).find((pattern) => {
    try {
      return new RegExp(`^(.*\\.)?(${pattern})$`).test(name);
    } catch {
      throw new AdapterError(`${adapterConfigName}: "${pattern}" is not a pattern for names of modules`);
    }
  });
  return found === undefined ? undefined : patterns?.[found];
}

/** A module that is targeted but has no tensors means that the adapter was made for a smaller base. */
function assertComplete(
  targets: readonly string[],
  modules: ReadonlyMap<string, unknown>,
  shapes: ReadonlyMap<string, readonly number[]>,
  doesNotFit: Misfit,
): void {
  // patterns of names leave out layers on purpose; a gap after the last layer is a misfit
  const layerOf = (name: string) => Number(/\.layers\.(\d+)\./.exec(name)?.[1] ?? -1);
  const last = Math.max(...Array.from(shapes.keys(), layerOf));
  for (const key of shapes.keys()) {
    const name = key.replace(/\.weight$/, '');
    const targeted = targets.some((target) => name === target || name.endsWith(`.${target}`));
    if (targeted && layerOf(name) === last && !modules.has(name)) {
      throw doesNotFit(`it has nothing for ${name}`);
    }
  }
}
