/** What is read of a config.json, compared with what transformers makes of it (test/parity/make_fixtures.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/models/config.js';
import { families } from '../../src/models/families/index.js';
import { fixture, families as withFixtures } from '../parity/fixtures.js';

type Settings = Record<string, unknown>;
const defaults = JSON.parse(readFileSync(fixture('defaults.json'), 'utf8')) as Record<
  string,
  { least: Settings; all: Settings }
>;
const parse = (settings: Settings, change: Settings = {}) => parseConfig({ ...settings, ...change }, 'test');

it('every family has a fixture', () => {
  const typeOf = (name: string) => JSON.parse(readFileSync(fixture(name, 'config.json'), 'utf8')).model_type;
  const named = withFixtures.filter((name) => typeOf(name) === name);
  expect([...named].sort()).toEqual(families.map(({ modelType }) => modelType).sort());
  // the others are of a family with other settings
  for (const name of withFixtures) expect(families.map(({ modelType }) => modelType)).toContain(typeOf(name));
});

describe.each(families.map(({ modelType }) => modelType))('%s', (family) => {
  const { least, all } = defaults[family]!;

  it('takes the defaults of transformers for what config.json leaves out', () => {
    expect(parse(least, { model_type: family })).toEqual(parse(all));
  });

  it('is not loaded when its layers or weights are of a kind that is not known', () => {
    const settings = JSON.parse(readFileSync(fixture(family, 'config.json'), 'utf8'));
    expect(parse(settings).modelType).toBe(family);
    for (const [change, message] of [
      [{ num_hidden_layers: 2, layer_types: ['full_attention', 'chunked_attention'] }, '"chunked_attention"'],
      [{ num_hidden_layers: 2, layer_types: ['full_attention'] }, 'layer_types has 1 entries'],
      [
        { quantization_config: { bits: 4 } },
        'weights that are quantized to 4 bits are not supported; use the same',
      ],
      [
        { quantization_config: { quant_method: 'bitsandbytes', load_in_4bit: true } },
        'weights that bitsandbytes has quantized to 4 bits are not supported; use the same model in float32',
      ],
      [{ quantization_config: { quant_method: 'fp8' } }, 'weights that fp8 has quantized are not supported'],
      [{ num_experts: 8 }, `model_type "${family}" with num_experts 8 is a mixture of experts, which is not`],
      [
        { model_type: 'mixtral', num_local_experts: 8 },
        'model_type "mixtral" with num_local_experts 8 is a mixture',
      ],
      [{ model_type: 'deepseek_v3', n_routed_experts: 256 }, 'without experts of these types: qwen2'],
    ] as const) {
      expect(() => parse(settings, change)).toThrow(message);
    }
  });
});

describe('qwen3', () => {
  const { least } = defaults.qwen3!;

  it('has heads of its own width, and biases only where its config.json says so', () => {
    expect(parse(least, { model_type: 'qwen3' })).toMatchObject({
      headDim: 128,
      numKeyValueHeads: 32,
      queryKeyNorm: true,
      attentionInputBias: false,
      attentionOutputBias: false,
    });
    expect(parse(least, { model_type: 'qwen3', head_dim: 6, attention_bias: true })).toMatchObject({
      headDim: 6,
      attentionInputBias: true,
      attentionOutputBias: true,
    });
    expect(() => parse(least, { model_type: 'qwen3', head_dim: 7 })).toThrow(
      'head_dim 7 must be an even integer',
    );
  });
});

const typesOf = (pattern: string) =>
  [...pattern].map((type) => (type === 's' ? 'sliding_attention' : 'full_attention'));

describe('windows of attention', () => {
  const settings = (family: string, change: Settings): Settings => ({
    ...defaults[family]!.least,
    model_type: family,
    ...change,
  });

  it.each<[string, Settings, (number | null)[] | undefined]>([
    ['mistral', {}, [4096, 4096]],
    ['ministral', {}, [4096, 4096]],
    ['ministral', { sliding_window: 7, layer_types: typesOf('fs') }, [null, 7]],
    ['mistral', { sliding_window: null }, undefined],
    ['ministral3', {}, undefined],
    ['ministral3', { sliding_window: 7 }, [7, 7]],
    ['mistral', { sliding_window: 7, layer_types: typesOf('ss') }, [7, 7]],
    ['qwen2', { sliding_window: 5 }, undefined],
    ['qwen2', { sliding_window: 5, use_sliding_window: true }, undefined],
    ['qwen2', { sliding_window: 5, use_sliding_window: true, max_window_layers: 1 }, [null, 5]],
    ['qwen3', { use_sliding_window: true, max_window_layers: 0 }, [4096, 4096]],
    ['qwen3', { use_sliding_window: true, layer_types: typesOf('sf') }, [4096, null]],
    ['gemma2', {}, [4096, null]],
    ['gemma2', { sliding_window: 9, layer_types: typesOf('fs') }, [null, 9]],
    ['gemma3_text', { num_hidden_layers: 7 }, [4096, 4096, 4096, 4096, 4096, null, 4096]],
    ['gemma3_text', { sliding_window_pattern: 2, sliding_window: 3 }, [3, null]],
    ['phi3', {}, undefined],
    ['phi3', { sliding_window: 2047 }, [2047, 2047]],
    ['smollm3', { sliding_window: 6, no_rope_layer_interval: 2 }, undefined],
    ['smollm3', { sliding_window: 6, use_sliding_window: true, no_rope_layer_interval: 2 }, [null, 6]],
    ['llama', { layer_types: typesOf('ff') }, undefined],
  ])('%s, %j: %j', (family, change, windows) => {
    expect(parse(settings(family, change)).windows).toEqual(windows);
  });

  it.each<[string, Settings, string]>([
    ['llama', { layer_types: typesOf('sf') }, 'sliding-window attention is not part of a llama model'],
    ['mistral', { layer_types: typesOf('sf') }, 'with sliding_window 4096 every layer has it'],
    ['mistral', { sliding_window: null, layer_types: typesOf('sf') }, 'no layer has a window'],
    ['qwen2', { layer_types: typesOf('sf'), use_sliding_window: false }, 'and use_sliding_window true'],
    ['gemma2', { sliding_window: null }, 'expected a number sliding_window'],
  ])('%s, %j: refused', (family, change, message) => {
    expect(() => parse(settings(family, change))).toThrow(message);
  });
});

describe('ministral3', () => {
  const settings = { ...defaults.ministral3!.least, model_type: 'ministral3' };

  it('has the temperature of attention that transformers takes by default', () => {
    expect(parse(settings).queryScale).toEqual({ beta: 0.1, originalMaxPositionEmbeddings: 16384 });
    const rope = { rope_type: 'default', llama_4_scaling_beta: 0.3, original_max_position_embeddings: 8 };
    expect(parse({ ...settings, rope_parameters: rope }).queryScale).toEqual({
      beta: 0.3,
      originalMaxPositionEmbeddings: 8,
    });
  });

  it('is refused without it, and with images', () => {
    expect(() => parse({ ...settings, rope_parameters: { rope_type: 'default' } })).toThrow(
      'rope_parameters of a ministral3 model need a number llama_4_scaling_beta, found none',
    );
    expect(() => parse({ ...settings, model_type: 'mistral3' })).toThrow(
      'model_type "mistral3" is not supported: it takes images',
    );
  });
});

describe('gemma', () => {
  const least = (family: string, change: Settings = {}) =>
    parse({ ...defaults[family]!.least, model_type: family, ...change });

  it('scales embeddings and attention, and caps what config.json says', () => {
    expect(least('gemma2')).toMatchObject({
      embeddingScale: 16,
      attentionScale: 1 / 16,
      attentionSoftCap: 50,
      logitSoftCap: 30,
      activation: 'gelu-tanh',
      tieWordEmbeddings: true,
    });
    const uncapped = least('gemma2', { attn_logit_softcapping: null, final_logit_softcapping: null });
    expect([uncapped.attentionSoftCap, uncapped.logitSoftCap]).toEqual([undefined, undefined]);
    expect(least('gemma3_text')).not.toHaveProperty('attentionSoftCap');
  });

  it('reads the rotary positions of both kinds of layers, as old and new files have them', () => {
    const old = {
      rope_theta: 5e5,
      rope_local_base_freq: 3e4,
      rope_scaling: { rope_type: 'linear', factor: 8 },
    };
    const now = {
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 8, rope_theta: 5e5 },
        sliding_attention: { rope_type: 'default', rope_theta: 3e4 },
      },
    };
    const expected = {
      ropeTheta: 5e5,
      ropeScaling: { type: 'linear', factor: 8 },
      slidingRope: { ropeTheta: 3e4 },
    };
    expect(least('gemma3_text', old)).toMatchObject(expected);
    expect(least('gemma3_text', now)).toEqual(least('gemma3_text', old));
    expect(least('gemma3_text')).toMatchObject({ ropeTheta: 1e6, slidingRope: { ropeTheta: 1e4 } });
  });

  it('says how the text part of a model with images is loaded', () => {
    expect(() => parse({ model_type: 'gemma3', text_config: {}, vision_config: {} })).toThrow(
      /model_type "gemma3" is not supported: it takes images\. .* of type gemma3_text .*python -c/,
    );
  });

  it.each<[string, Settings, string]>([
    ['gemma2', { use_bidirectional_attention: true }, 'use_bidirectional_attention true is not supported'],
    ['gemma3_text', { attn_logit_softcapping: 50 }, 'Gemma 3 does not cap attention scores'],
    ['gemma3_text', { hidden_activation: 'silu' }, 'hidden_activation "silu" found'],
    ['gemma3_text', { rope_parameters: { rope_theta: 5 } }, 'expected full_attention and sliding_attention'],
  ])('%s, %j: refused', (family, change, message) => {
    expect(() => least(family, change)).toThrow(message);
  });
});

describe('phi3', () => {
  const settings = JSON.parse(readFileSync(fixture('phi3', 'config.json'), 'utf8')) as Settings;
  const rope = settings.rope_parameters as Settings;

  it('reads long rope and partial rotary positions as old and new files write them', () => {
    const expected = parse(settings);
    expect(expected).toMatchObject({
      rotaryDim: 6,
      ropeScaling: { type: 'longrope', longFactors: [1.5, 3.1, 7] },
    });
    const { rope_theta, rope_type, partial_rotary_factor, ...rest } = rope;
    for (const type of ['su', 'yarn', 'longrope']) {
      const old = { rope_theta, partial_rotary_factor, rope_scaling: { type, ...rest } };
      expect(parse({ ...settings, rope_parameters: null }, old)).toEqual(expected);
    }
  });

  it('is refused where its rotary width is no even number', () => {
    expect(() => parse(settings, { rope_parameters: { ...rope, partial_rotary_factor: 0.4 } })).toThrow(
      'partial_rotary_factor 0.4 of head size 8 gives a rotary width of 3, expected an even integer from 2 to 8',
    );
  });
});

describe('smollm3', () => {
  const { least } = defaults.smollm3!;
  const rotary = (change: Settings) =>
    parse(least, { model_type: 'smollm3', num_hidden_layers: 5, ...change }).rotaryLayers;

  it('has no rotary positions in every fourth layer, or where it is told', () => {
    expect(rotary({})).toEqual([true, true, true, false, true]);
    expect(rotary({ no_rope_layer_interval: 2 })).toEqual([true, false, true, false, true]);
    expect(rotary({ no_rope_layers: [0, 1, 1, 0, 0] })).toEqual([false, true, true, false, false]);
    expect(() => rotary({ no_rope_layers: [0, 1] })).toThrow(
      'no_rope_layers has 2 entries, expected one for each of the 5 layers',
    );
  });
});
