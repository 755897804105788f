import type { FromSchema } from 'json-schema-to-ts';
import { type Folder, readJsonOf } from '../common/folder.js';
import { compileSchema } from '../common/schema.js';
import {
  type AdapterBase,
  adapterConfigName,
  adapterTensorNames,
  adapterWeightsName,
  initialRankKey,
  initKey,
  torchWeightsName,
} from './adapter-names.js';
import type { AdapterModule, AdapterState, FloatsOnHost } from './adapter-state.js';
import { fromPattern, savedWeights, targetedMatrices } from './adapter-targets.js';
import { isOfBase } from './base-tables.js';
import { AdapterError } from './errors.js';
import { type LoraOptions, loraScaling } from './lora.js';
import { isFloatingPoint } from './number-formats.js';
import { SafetensorsReader, type TensorFile } from './tensor-file.js';
import { TorchFile } from './torch-file.js';
import { transposed } from './transposed.js';

const namesOrPattern = { type: ['array', 'string', 'null'], items: { type: 'string' } } as const;

const schema = {
  type: 'object',
  required: ['peft_type', 'r'],
  properties: {
    peft_type: { type: 'string' },
    r: { type: 'integer', minimum: 1 },
    lora_alpha: { type: 'number' },
    lora_dropout: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
    target_modules: namesOrPattern,
    exclude_modules: namesOrPattern,
    modules_to_save: { type: ['array', 'null'], items: { type: 'string' } },
    layers_to_transform: { type: ['array', 'integer', 'null'], items: { type: 'integer' } },
    layers_pattern: namesOrPattern,
    use_rslora: { type: 'boolean' },
    use_dora: { type: 'boolean' },
    init_lora_weights: { type: ['boolean', 'string', 'null'] },
    rank_pattern: { type: ['object', 'null'], additionalProperties: { type: 'number' } },
    alpha_pattern: { type: ['object', 'null'], additionalProperties: { type: 'number' } },
    ensure_weight_tying: { type: 'boolean' },
    base_model_name_or_path: { type: ['string', 'null'] },
  },
} as const;

const validate = compileSchema<FromSchema<typeof schema>>(schema, "a PEFT adapter's configuration");

/** What PEFT takes for lora_alpha where it is not given. */
const DEFAULT_ALPHA = 8;

/** Settings of PEFT that change the computation and are not supported, with the values that are harmless. */
const harmless: Record<string, unknown[]> = {
  bias: ['none'],
  lora_bias: [false],
  fan_in_fan_out: [false],
  layer_replication: [null],
  trainable_token_indices: [null],
  target_parameters: [null],
  use_qalora: [false],
  alora_invocation_tokens: [null],
  monteclora_config: [null],
  arrow_config: [null],
  kasa_config: [null],
  use_bdlora: [null],
  megatron_config: [null],
};

const keyPrefix = 'base_model.model.';

/** A tensor's module and its name in it. */
const keyPattern = /^base_model\.model\.(.+)\.(lora_\w+(?:\.weight)?)$/;

/** A table of the base that PEFT writes beside an adapter on it. */
const basePattern = /^base_model\.model\.(.+)\.base_layer\.weight$/;

/** Makes the error of a tensor that the base has no place for. */
type Misfit = (what: string) => AdapterError;

/**
 * Reads an adapter folder in PEFT's format and checks that it fits a base.
 * @param base such as `decoder.adapterBase()`
 * @throws {AdapterError} naming the file and the first thing that does not fit
 */
export function adapterOf(folder: Folder, base: AdapterBase): AdapterState {
  const { targets } = base;
  if (!folder.exists) {
    throw new AdapterError(`${folder.name}: no such folder. Expected a PEFT adapter folder`);
  }
  const config = readAdapterConfig(folder);
  const isTorch = !folder.has(adapterWeightsName) && folder.has(torchWeightsName);
  const weightsName = isTorch ? torchWeightsName : adapterWeightsName;
  const weightsPath = folder.pathOf(weightsName);
  const doesNotFit = (what: string) =>
    new AdapterError(
      `${weightsPath}: the adapter does not fit the base model: ${what}` +
        (config.base_model_name_or_path ? ` (it was made for ${config.base_model_name_or_path})` : ''),
    );
  const Reader = isTorch ? TorchFile : SafetensorsReader;
  const file: TensorFile = new Reader(weightsPath, () => folder.open(weightsName));
  try {
    const initialRank = Number(file.metadata[initialRankKey] ?? 0);
    const { parts, saved } = readTensors(file, base, doesNotFit);
    if (parts.size === 0) throw new AdapterError(`${weightsPath}: it holds no LoRA tensors`);
    const modules = new Map<string, AdapterModule>();
    for (const [name, part] of parts) {
      const module = completeModule(name, part, config, weightsPath, doesNotFit);
      const isConverted = initialRank > 0 && targets.get(name)?.use !== 'embedding';
      modules.set(name, isConverted ? { ...module, initialRank: module.a.shape[0]! / 2 } : module);
    }
    assertComplete(config, { modules, saved }, base, weightsPath, doesNotFit);
    const isTied =
      config.ensure_weight_tying &&
      [...targets].some(([name, { tiedTo }]) => tiedTo && (modules.has(name) || saved.has(`${name}.weight`)));
    return {
      options: loraOptionsOf(config, { rank: initialRank, init: file.metadata[initKey] }, modules),
      modules,
      saved,
      pissaBase: config.init_lora_weights === 'pissa',
      ...(isTied ? { areTablesTied: true } : {}),
    };
  } finally {
    file.close();
  }
}

type AdapterConfig = FromSchema<typeof schema>;

/** Reads adapter_config.json. @throws {AdapterError} for what is not supported */
function readAdapterConfig(folder: Folder): AdapterConfig {
  const path = folder.pathOf(adapterConfigName);
  const config = validate(readJsonOf(folder, adapterConfigName, "a PEFT adapter's configuration"), path);
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
  assertKnownInit(config.init_lora_weights, path);
  if (typeof config.target_modules === 'string') {
    for (const name of ['layers_to_transform', 'layers_pattern'] as const) {
      if ((config[name] ?? null) === null) continue;
      throw new AdapterError(`${path}: ${name} has no meaning beside a target_modules that is a pattern`);
    }
  }
  return config;
}

/** Ways to start an adapter that leave the base as it is, as PEFT compares them. */
const plainInits = ['eva', 'orthogonal'];
const plainInitsInAnyCase = ['gaussian', 'mica'];

/** @throws {AdapterError} for an adapter that belongs to a base that PEFT has changed */
function assertKnownInit(init: AdapterConfig['init_lora_weights'], path: string): void {
  if (typeof init !== 'string' || init === 'pissa') return;
  if (plainInits.includes(init) || plainInitsInAnyCase.includes(init.toLowerCase())) return;
  const changesBase =
    init.startsWith('pissa') ||
    init.startsWith('corda') ||
    ['loftq', 'lora_ga'].includes(init) ||
    init.toLowerCase() === 'olora';
  if (!changesBase) throw new AdapterError(`${path}: unknown init_lora_weights "${init}"`);
  // what PEFT draws at random, or computes from data, cannot be found again
  const why = init.startsWith('pissa')
    ? "depends on torch's random numbers, as they were when training began"
    : 'changes the base by what the adapter does not say';
  throw new AdapterError(
    `${path}: init_lora_weights "${init}" ${why}; convert the adapter where it was trained, with PEFT: ` +
      'save_pretrained(folder, path_initial_model_for_weight_conversion=initial_folder)',
  );
}

/** The tensors of a file by matrix. @throws {AdapterError} for one that the base has no place for */
function readTensors(
  file: TensorFile,
  base: AdapterBase,
  doesNotFit: Misfit,
): { parts: Map<string, Partial<AdapterModule>>; saved: Map<string, FloatsOnHost> } {
  const { targets, savable } = base;
  const modules = new Map<string, Partial<AdapterModule>>();
  const saved = new Map<string, FloatsOnHost>();
  for (const [key, entry] of file.tensors) {
    const weight = key.startsWith(keyPrefix) ? key.slice(keyPrefix.length) : '';
    const whole = savable.get(weight);
    if (whole) {
      if (entry.shape.join() !== whole.join())
        throw doesNotFit(`${key} has shape [${entry.shape}], expected [${whole.join(', ')}]`);
      if (!isFloatingPoint(entry.dtype))
        throw doesNotFit(`${key} has integers (${entry.dtype}), expected numbers`);
      saved.set(weight, file.read(key) as FloatsOnHost);
      continue;
    }
    const table = basePattern.exec(key)?.[1];
    if (table !== undefined) {
      if (isOfBase(file, key, table, base)) continue;
      throw doesNotFit(`${key} is not the base's ${table}`);
    }
    const [, name = '', end] = keyPattern.exec(key) ?? [];
    const target = targets.get(name);
    const names = Object.entries(adapterTensorNames(target?.use ?? 'projection'));
    const part = names.find(([, known]) => known === end)?.[0] as keyof AdapterTensors | undefined;
    if (!target || !part) throw doesNotFit(`there is no projection for its tensor ${key}`);
    if (!isFloatingPoint(entry.dtype))
      throw doesNotFit(`${key} has integers (${entry.dtype}), expected numbers`);
    const isTable = target.use === 'embedding';
    const [out, input] = target.shape;
    const expected = { a: ['rank', input], b: [out, 'rank'], magnitude: [isTable ? input : out] }[part];
    if (isTable) expected.reverse();
    const isExpected = (size: number | string | undefined, i: number) =>
      size === 'rank' || size === entry.shape[i];
    if (entry.shape.length !== expected.length || !expected.every(isExpected)) {
      throw doesNotFit(`${key} has shape [${entry.shape}], expected [${expected.join(', ')}]`);
    }
    const tensor = file.read(key) as FloatsOnHost;
    const module = modules.get(name) ?? {};
    modules.set(name, module);
    module[part] = isTable && part !== 'magnitude' ? transposed(tensor) : tensor;
  }
  return { parts: modules, saved };
}

/** The tensors of a module. */
type AdapterTensors = Pick<Required<AdapterModule>, 'a' | 'b' | 'magnitude'>;

/** A matrix' part with its scaling. @throws {AdapterError} when it lacks a tensor, or is not what is configured */
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

/**
 * The options that training began with.
 * @param initial what it began with where that has changed the base, with half of the file's rank; else a rank of 0
 */
function loraOptionsOf(
  config: AdapterConfig,
  initial: { rank: number; init: string | undefined },
  modules: ReadonlyMap<string, unknown>,
): LoraOptions {
  const { lora_alpha: alpha = DEFAULT_ALPHA, use_rslora: useRslora = false } = config;
  const init = String(config.init_lora_weights).toLowerCase();
  const rankFactor = initial.rank > 0 ? 0.5 : 1;
  const alphaFactor = useRslora ? Math.sqrt(rankFactor) : rankFactor;
  const rankPattern = scaled(config.rank_pattern, rankFactor);
  const alphaPattern = scaled(config.alpha_pattern, alphaFactor);
  const excluded = config.exclude_modules;
  return {
    rank: config.r * rankFactor,
    alpha: alpha * alphaFactor,
    dropout: config.lora_dropout ?? 0,
    targetModules: [...new Set(Array.from(modules.keys(), (name) => name.split('.').at(-1)!))],
    ...(Array.isArray(excluded) && excluded.length > 0 ? { excludeModules: excluded } : {}),
    ...(config.modules_to_save?.length ? { modulesToSave: [...config.modules_to_save] } : {}),
    ...(rankPattern ? { rankPattern } : {}),
    ...(alphaPattern ? { alphaPattern } : {}),
    useRslora,
    useDora: config.use_dora ?? false,
    init:
      initial.rank > 0
        ? initial.init === 'olora'
          ? 'olora'
          : 'pissa'
        : init === 'pissa' || init === 'gaussian'
          ? init
          : 'default',
  };
}

/** Values by pattern times a factor; undefined where there are none. */
function scaled(
  patterns: Readonly<Record<string, number>> | null | undefined,
  factor: number,
): Record<string, number> | undefined {
  const entries = Object.entries(patterns ?? {}).map(([key, value]) => [key, value * factor] as const);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

/** Makes sure that the file has what the configuration is for, no less and no more. */
function assertComplete(
  config: AdapterConfig,
  { modules, saved }: Pick<AdapterState, 'modules' | 'saved'>,
  base: AdapterBase,
  weightsPath: string,
  doesNotFit: Misfit,
): void {
  const targeted = targetedMatrices(config, base.targets);
  const missing = [...targeted].filter((name) => !modules.has(name));
  if (missing.length > 0) throw doesNotFit(`it has nothing for ${someOf(missing)}`);
  const others = [...modules.keys()].filter((name) => !targeted.has(name));
  if (others.length > 0) {
    throw new AdapterError(
      `${weightsPath}: it has tensors for ${someOf(others)}, which the target_modules of ${adapterConfigName} ` +
        'leave out, so that PEFT would not use them',
    );
  }
  const meant = savedWeights(config, base);
  const absent = [...meant].filter((name) => !saved.has(name));
  if (absent.length > 0) throw doesNotFit(`modules_to_save names ${someOf(absent)}, which it lacks`);
  const unnamed = [...saved.keys()].filter((name) => !meant.has(name));
  if (unnamed.length > 0) {
    throw new AdapterError(
      `${weightsPath}: it has ${someOf(unnamed)}, which the modules_to_save of ${adapterConfigName} leave out, so that ` +
        'PEFT would not use it',
    );
  }
}

/** The first of some names, and how many there are. */
function someOf(names: readonly string[]): string {
  const [first] = names;
  return names.length === 1 ? `${first}` : `${first} and ${names.length - 1} more`;
}
