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

/** What has to be said beside the defaults, because those are not supported. */
const loadable: Record<string, Settings> = { mistral: { sliding_window: null } };

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
    const change = { model_type: family, ...loadable[family] };
    expect(parse(least, change)).toEqual(parse(all, change));
  });

  it('is not loaded when an attention window slides, or its weights are quantized', () => {
    const settings = JSON.parse(readFileSync(fixture(family, 'config.json'), 'utf8'));
    expect(parse(settings).modelType).toBe(family);
    for (const [change, message] of [
      [{ use_sliding_window: true }, 'sliding-window attention is not supported'],
      [{ layer_types: ['full_attention', 'sliding_attention'] }, 'sliding-window attention is not supported'],
      [{ quantization_config: { bits: 4 } }, 'quantized weights are not supported'],
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

describe('mistral', () => {
  const { least, all } = defaults.mistral!;

  it('is loaded where its window covers every position, and refused where it slides', () => {
    const refusal = 'sliding_window 4096 is below max_position_embeddings 131072';
    expect(() => parse(least, { model_type: 'mistral' })).toThrow(refusal);
    expect(() => parse(all)).toThrow(refusal);
    for (const change of [{ sliding_window: null }, { max_position_embeddings: 4096 }]) {
      expect(parse(all, change)).toMatchObject({ headDim: 8, numKeyValueHeads: 8 });
      expect(parse(all, { ...change, head_dim: 10 })).toMatchObject({ headDim: 10 });
    }
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

  it('is refused where its window slides or its rotary width is no even number', () => {
    expect(() => parse(settings, { sliding_window: 127 })).toThrow(
      'sliding_window 127 is below max_position_embeddings 128',
    );
    expect(parse(settings, { sliding_window: 128 })).toEqual(parse(settings));
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
