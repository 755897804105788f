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

/**
 * Reads an adapter folder in PEFT's format and checks that it fits a base of the given weight shapes.
 * @throws {AdapterError} naming the file and the first thing that does not fit
 */
export function readAdapter(folder: string, shapes: ReadonlyMap<string, readonly number[]>): AdapterFile {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new AdapterError(`${folder}: no such folder. Expected a PEFT adapter folder`);
  }
  const configPath = join(folder, adapterConfigName);
  const raw = validate(readJson(configPath, "a PEFT adapter's configuration"), configPath);
  if (raw.peft_type !== 'LORA') {
    throw new AdapterError(`${configPath}: peft_type "${raw.peft_type}" found, expected "LORA"`);
  }
  const values = raw as Record<string, unknown>;
  for (const [name, accepted] of Object.entries(harmless)) {
    const value = values[name] ?? accepted[0];
    if (!accepted.includes(value) && !(Array.isArray(value) && value.length === 0)) {
      throw new AdapterError(
        `${configPath}: ${name} = ${JSON.stringify(value)} is not supported, expected ${accepted[0]}`,
      );
    }
  }
  const alpha = raw.lora_alpha ?? 8;
  const useRslora = raw.use_rslora ?? false;
  const useDora = raw.use_dora ?? false;
  const weightsPath = join(folder, adapterWeightsName);
  const file = new SafetensorsFile(weightsPath);
  try {
    const pissaRank = Number(file.metadata[pissaRankKey] ?? 0);
    const modules = new Map<string, Partial<AdapterModule>>();
    const doesNotFit = (what: string) =>
      new AdapterError(
        `${weightsPath}: the adapter does not fit the base model: ${what}` +
          (raw.base_model_name_or_path ? ` (it was made for ${raw.base_model_name_or_path})` : ''),
      );
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
    if (modules.size === 0) throw new AdapterError(`${weightsPath}: it holds no LoRA tensors`);
    for (const [name, module] of modules) {
      if (!module.a || !module.b) throw doesNotFit(`${name} has no lora_${module.a ? 'B' : 'A'}.weight`);
      const rank = module.a.shape[0]!;
      if (module.b.shape[1] !== rank) {
        throw doesNotFit(`${name} has rank ${rank} in lora_A and ${module.b.shape[1]} in lora_B`);
      }
      const expectedRank = fromPattern(raw.rank_pattern, name) ?? raw.r;
      if (rank !== expectedRank) {
        throw new AdapterError(
          `${weightsPath}: ${name} has rank ${rank}, ${adapterConfigName} says ${expectedRank}`,
        );
      }
      if (useDora !== (module.magnitude !== undefined)) {
        throw new AdapterError(
          `${weightsPath}: ${name} ${useDora ? 'lacks' : 'has'} a lora_magnitude_vector, ` +
            `${adapterConfigName} says use_dora: ${useDora}`,
        );
      }
      module.scaling = loraScaling(fromPattern(raw.alpha_pattern, name) ?? alpha, rank, useRslora);
      if (pissaRank > 0) module.initialRank = pissaRank;
    }
    const targets = raw.target_modules;
    // whole layers may be left out on purpose
    if (Array.isArray(targets) && (values.layers_to_transform ?? null) === null) {
      assertComplete(targets, modules, shapes, doesNotFit);
    }
    const init = String(raw.init_lora_weights);
    const known =
      init.startsWith('pissa') || pissaRank > 0 ? 'pissa' : init === 'gaussian' ? init : 'default';
    for (const method of ['olora', 'corda', 'loftq', 'lora_ga']) {
      if (init.startsWith(method)) {
        throw new AdapterError(
          `${configPath}: init_lora_weights "${init}" changes the base and is not supported`,
        );
      }
    }
    return {
      options: {
        // the rank and alpha that training began with; the file of a PiSSA adapter has twice the rank
        rank: pissaRank || raw.r,
        alpha: pissaRank ? (useRslora ? alpha / Math.SQRT2 : alpha / 2) : alpha,
        dropout: raw.lora_dropout ?? 0,
        targetModules: [...new Set(Array.from(modules.keys(), (name) => name.split('.').at(-1)!))],
        useRslora,
        useDora,
        init: known,
      },
      modules: modules as Map<string, AdapterModule>,
      pissaBase: init.startsWith('pissa'),
    };
  } finally {
    file.close();
  }
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
  doesNotFit: (what: string) => AdapterError,
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
