import { type Folder, readJsonOf } from '../common/folder.js';
import { compileSchema } from '../common/schema.js';
import type { DecoderConfig } from './decoder-config.js';
import { ModelFileError } from './errors.js';
import { type Family, type Settings, settingsSchema } from './families/family.js';
import { familyOf, knownFamilies, refusalOf } from './families/index.js';
import { readRopeScaling } from './families/rope.js';
import { readWindows } from './families/windows.js';
import { dependsOnLength } from './rotary-table.js';

export type { DecoderConfig } from './decoder-config.js';

const validate = compileSchema<Settings>(settingsSchema, 'a model configuration');
const validateType = compileSchema<{ model_type: string }>(
  {
    type: 'object',
    required: ['model_type'],
    properties: { model_type: settingsSchema.properties.model_type },
  },
  'a model configuration',
);

/** Reads a model's `config.json`. @throws {UserError} that says what is missing or not supported. */
export function configOf(folder: Folder): DecoderConfig {
  if (!folder.has('config.json') && folder.has('adapter_config.json')) {
    throw new ModelFileError(
      `${folder.name}: expected a model, found an adapter; give it with \`adapterPath\`, and its base with \`modelPath\``,
    );
  }
  return parseConfig(
    readJsonOf(folder, 'config.json', "a model's config.json"),
    folder.pathOf('config.json'),
  );
}

/** The setting by which a model says that it is a mixture of experts; undefined for others. */
function expertsOf(settings: Readonly<Record<string, unknown>>): string | undefined {
  const names = ['num_experts', 'num_local_experts', 'n_routed_experts', 'moe_num_experts'];
  const name = names.find((each) => Number(settings[each]) > 1);
  return name && `${name} ${settings[name]}`;
}

/** What a `quantization_config` says was done, such as "bitsandbytes has quantized to 4 bits". */
function quantizationOf(config: unknown): string {
  const { quant_method: method, bits, load_in_4bit: to4, load_in_8bit: to8 } = Object(config);
  const width = bits ?? (to4 ? 4 : to8 ? 8 : undefined);
  const to = width === undefined ? '' : ` to ${width} bits`;
  return typeof method === 'string' ? `${method} has quantized${to}` : `are quantized${to}`;
}

/** Turns the content of a config.json into a {@link DecoderConfig}; `source` names it in errors. */
export function parseConfig(value: unknown, source: string): DecoderConfig {
  const refuse = (what: string): never => {
    throw new ModelFileError(`${source}: ${what}`);
  };
  // other models name their other settings otherwise
  const { model_type: modelType } = validateType(value, source);
  const experts = expertsOf(value as Readonly<Record<string, unknown>>);
  if (experts) {
    refuse(
      `model_type "${modelType}" with ${experts} is a mixture of experts, which is not supported; supported are models ` +
        `without experts of these types: ${knownFamilies()}`,
    );
  }
  const family = familyOf(modelType);
  if (!family) {
    const reason = refusalOf(modelType);
    return refuse(
      reason === undefined
        ? `unknown model_type "${modelType}". Known model types: ${knownFamilies()}`
        : `model_type "${modelType}" is not supported: ${reason}`,
    );
  }
  const given = { ...family.defaults, ...validate(value, source) };
  const { setting, name: activation } = family.activation ?? { setting: 'hidden_act', name: 'silu' };
  if ((given[setting] ?? activation) !== activation) {
    refuse(`${setting} "${given[setting]}" found, expected "${activation}"`);
  }
  if (given.quantization_config) {
    refuse(
      `weights that ${quantizationOf(given.quantization_config)} are not supported; use the same model in float32, ` +
        'bfloat16 or float16 (`weights: int8` keeps it in 8 bits)',
    );
  }
  const refusal = family.refusal?.(given);
  if (refusal) refuse(refusal);
  const heads = given.num_attention_heads;
  const keyValueHeads = given.num_key_value_heads ?? heads;
  const headDim = given.head_dim ?? given.hidden_size / heads;
  if (!Number.isInteger(headDim) || headDim % 2 !== 0) {
    refuse(
      given.head_dim
        ? `head_dim ${headDim} must be an even integer`
        : `hidden_size ${given.hidden_size} / num_attention_heads ${heads} must be an even integer`,
    );
  }
  if (heads % keyValueHeads !== 0) {
    refuse(`num_attention_heads ${heads} is not a multiple of num_key_value_heads ${keyValueHeads}`);
  }
  const { max_position_embeddings: maxPositionEmbeddings } = given;
  // transformers 5 keeps all of it in rope_parameters; before, there were rope_theta and rope_scaling
  const {
    rope_theta: theta,
    partial_rotary_factor: partial,
    ...rope
  } = (family.slidingRope ? given.rope_parameters?.full_attention : given.rope_parameters) ??
  given.rope_scaling ??
  {};
  const ropeTheta = theta ?? given.rope_theta ?? 10000;
  const rotated = partial ?? given.partial_rotary_factor ?? 1;
  if (rotated !== 1 && !family.partialRotary) {
    refuse(`partial_rotary_factor ${rotated} is not supported in ${modelType}, expected 1`);
  }
  const rotaryDim = Math.trunc(headDim * rotated);
  if (rotaryDim < 2 || rotaryDim > headDim || rotaryDim % 2 !== 0) {
    refuse(
      `partial_rotary_factor ${rotated} of head size ${headDim} gives a rotary width of ${rotaryDim}, expected an ` +
        `even integer from 2 to ${headDim}`,
    );
  }
  const ropeScaling = readRopeScaling(
    rope,
    {
      maxPositionEmbeddings,
      ropeTheta,
      rotaryDim,
      originalMaxPositionEmbeddings: given.original_max_position_embeddings ?? undefined,
      ropeTypes: family.ropeTypes,
    },
    source,
  );
  const windows = readWindows(family, given, source);
  const slidingRope = windows && readSlidingRope(family, given, { maxPositionEmbeddings, rotaryDim }, source);
  return {
    modelType,
    vocabSize: given.vocab_size,
    hiddenSize: given.hidden_size,
    intermediateSize: given.intermediate_size,
    numHiddenLayers: given.num_hidden_layers,
    numAttentionHeads: heads,
    numKeyValueHeads: keyValueHeads,
    headDim,
    rmsNormEpsilon: given.rms_norm_eps ?? 1e-6,
    ropeTheta,
    ...(ropeScaling ? { ropeScaling } : {}),
    ...(rotaryDim === headDim ? {} : { rotaryDim }),
    ...(slidingRope ? { slidingRope } : {}),
    maxPositionEmbeddings,
    tieWordEmbeddings: given.tie_word_embeddings ?? false,
    ...family.features(given),
    ...(family.activation ? { activation: 'gelu-tanh' } : {}),
    ...(windows ? { windows } : {}),
    ...(family.names ? { names: family.names } : {}),
  };
}

/** The rotary positions of layers with a window, in families where these have their own. */
function readSlidingRope(
  family: Family,
  settings: Settings,
  model: { maxPositionEmbeddings: number; rotaryDim: number },
  source: string,
): DecoderConfig['slidingRope'] {
  if (!family.slidingRope) return undefined;
  const refuse = (what: string): never => {
    throw new ModelFileError(`${source}: rope_parameters of a ${family.modelType} model ${what}`);
  };
  const nested = settings.rope_parameters;
  if (nested && !nested.full_attention && !nested.sliding_attention) {
    const found = Object.keys(nested).join(', ') || 'nothing';
    refuse(`are by type of layer, expected full_attention and sliding_attention, found ${found}`);
  }
  const { rope_theta: theta, ...rope } = nested?.sliding_attention ?? {};
  const ropeTheta = theta ?? family.slidingRope(settings);
  const ropeScaling = readRopeScaling(rope, { ...model, ropeTheta }, source);
  if (ropeScaling && dependsOnLength({ ropeScaling })) {
    refuse(
      `for sliding_attention have the type ${ropeScaling.type}, which is supported for full_attention alone`,
    );
  }
  return { ropeTheta, ...(ropeScaling ? { ropeScaling } : {}) };
}
