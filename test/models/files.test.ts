import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import { Rng } from '../../src/common/rng.js';
import { families } from '../../src/models/families/index.js';
import {
  initModel,
  type LoraOptions,
  loadDecoder,
  readSafetensors,
  saveModel,
  writeSafetensors,
} from '../../src/models/index.js';
import { mergeLora } from '../../src/models/merge-lora.js';
import * as tf from '../../src/tensors/tf.js';
import { expectedOf, fixture, packed, relativeError, useBackend } from '../parity/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'arclab-models-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let made = 0;
const fresh = () => join(scratch, String(made++));

/** A copy of a fixture that a test may damage. */
function copy(family = 'qwen2'): string {
  const folder = fresh();
  cpSync(fixture(family), folder, { recursive: true });
  return folder;
}

function editConfig(folder: string, change: (config: Record<string, unknown>) => void): string {
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  change(config);
  writeFileSync(path, JSON.stringify(config));
  return folder;
}

async function refused(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain('\n');
}

beforeAll(() => useBackend('cpu'));

it('shards with an index hold the same model', async () => {
  const folder = copy('llama');
  const single = join(folder, 'model.safetensors');
  const tensors = [...readSafetensors(single)];
  const shards = [0, 1, 2].map((i) => tensors.filter((_, n) => n % 3 === i));
  const names = shards.map((_, i) => `model-0000${i + 1}-of-00003.safetensors`);
  shards.forEach((shard, i) => {
    writeSafetensors(join(folder, names[i]!), shard);
  });
  const map = shards.flatMap((shard, i) => shard.map(([name]) => [name, names[i]!]));
  writeFileSync(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }),
  );
  rmSync(single);
  const decoder = await loadDecoder(folder);
  const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)));
  expect(relativeError(logits, expectedOf('llama').get('logits')!)).toBeLessThan(1e-4);
  decoder.dispose();
  rmSync(join(folder, names[1]!));
  await refused(loadDecoder(folder), /model-00002-of-00003\.safetensors.*no such file/);
});

it('the older layout of rope settings means the same as the newer one', async () => {
  const folder = editConfig(copy('llama'), (config) => {
    const { rope_theta, rope_type, ...rest } = config.rope_parameters as Record<string, unknown>;
    delete config.rope_parameters;
    Object.assign(config, { rope_theta, rope_scaling: { type: rope_type, ...rest } });
  });
  const decoder = await loadDecoder(folder);
  const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)));
  expect(relativeError(logits, expectedOf('llama').get('logits')!)).toBeLessThan(1e-4);
  decoder.dispose();
});

it('a head that the file has beside tied embeddings is used, as transformers does', async () => {
  const logitsOf = async (folder: string) => {
    const decoder = await loadDecoder(folder);
    const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)).dataSync<'float32'>().slice());
    const tied = decoder.config.tieWordEmbeddings;
    const saved = fresh();
    await saveModel(decoder, saved);
    decoder.dispose();
    return { logits, tied, saved };
  };
  const withHead = (change: (values: Float32Array) => void) => {
    const folder = copy();
    const path = join(folder, 'model.safetensors');
    const tensors = readSafetensors(path);
    const { shape, values } = tensors.get('model.embed_tokens.weight')!;
    const head = Float32Array.from(values);
    change(head);
    tensors.set('lm_head.weight', { shape, values: head });
    writeSafetensors(path, tensors);
    return folder;
  };
  const plain = await logitsOf(fixture('qwen2'));
  const same = await logitsOf(withHead(() => {}));
  expect(same).toMatchObject({ tied: true, logits: plain.logits });
  const folder = withHead((values) => values.reverse());
  const own = await logitsOf(folder);
  const untied = await logitsOf(editConfig(folder, (config) => (config.tie_word_embeddings = false)));
  expect(own).toMatchObject({ tied: false, logits: untied.logits });
  expect(relativeError(own.logits, plain.logits)).toBeGreaterThan(0.1);
  // what is saved means the same to programs that believe config.json
  expect(JSON.parse(readFileSync(join(own.saved, 'config.json'), 'utf8')).tie_word_embeddings).toBe(false);
  expect((await logitsOf(own.saved)).logits).toEqual(own.logits);
});

it('weights saved as bfloat16 are the nearest ones, and load again', async () => {
  const decoder = await loadDecoder(fixture('qwen2'));
  const folder = fresh();
  await saveModel(decoder, folder, { dtype: 'bfloat16' });
  const saved = readSafetensors(join(folder, 'model.safetensors'));
  for (const [name, { shape, values }] of readSafetensors(fixture('qwen2', 'model.safetensors'))) {
    expect(saved.get(name)!.shape).toEqual(shape);
    expect(relativeError(saved.get(name)!.values, values)).toBeLessThan(2 ** -8);
  }
  expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).dtype).toBe('bfloat16');
  decoder.dispose();
  (await loadDecoder(folder)).dispose();
});

it('config.json is saved with its numbers as they are written', async () => {
  // where transformers wants a float it refuses 3 for 3.0
  const folder = copy('gemma2');
  const written = readFileSync(join(folder, 'config.json'), 'utf8').replace(
    '{',
    '{ "numbers": [1.0, -2e-05, 1E6, 7, "8.0, 9.50", {"a\\"1.0": -0.0}],',
  );
  writeFileSync(join(folder, 'config.json'), written);
  const decoder = await loadDecoder(folder);
  const saved = fresh();
  await saveModel(decoder, saved);
  decoder.dispose();
  const text = readFileSync(join(saved, 'config.json'), 'utf8');
  expect(text).toContain('"final_logit_softcapping": 3.0,');
  expect(text.replace(/\s+/g, '')).toContain('"numbers":[1.0,-2e-05,1E6,7,"8.0,9.50",{"a\\"1.0":-0.0}]');
  expect(JSON.parse(text)).toEqual(JSON.parse(written));
});

it('a model is saved in the type that it was stored in', async () => {
  for (const dtype of ['bfloat16', 'float16'] as const) {
    const [first, second] = [fresh(), fresh()];
    const decoder = await loadDecoder(fixture('qwen2'));
    await saveModel(decoder, first, { dtype });
    decoder.dispose();
    const again = await loadDecoder(first);
    await saveModel(again, second);
    again.dispose();
    const files = [first, second].map((folder) => readFileSync(join(folder, 'model.safetensors')));
    expect(files[1]!.equals(files[0]!)).toBe(true);
    expect(JSON.parse(readFileSync(join(second, 'config.json'), 'utf8')).dtype).toBe(dtype);
  }
});

it('a model that there is no memory for gives back what was loaded of it', async () => {
  const lora: LoraOptions = {
    ...{ rank: 2, alpha: 4, dropout: 0, useRslora: false, useDora: false, init: 'default' },
  };
  const adapted = { lora, rng: Rng.of(1) };
  const backend = tf.backend();
  const write = backend.write.bind(backend);
  let left = Number.POSITIVE_INFINITY;
  let written = 0;
  onTestFinished(() => void vi.restoreAllMocks());
  vi.spyOn(backend, 'write').mockImplementation((...args) => {
    written += 1;
    if (--left < 0) throw new Error('out of memory');
    return write(...args);
  });
  (await loadDecoder(fixture('qwen2'), adapted)).dispose();
  const before = tf.memory().numTensors;
  for (const [options, room] of [
    [adapted, 5],
    [{ trainable: 'all' }, 20],
    // in the adapter's last projection
    [adapted, written - 2],
  ] as const) {
    left = room;
    await expect(loadDecoder(fixture('qwen2'), options)).rejects.toThrow('out of memory');
    expect(tf.memory().numTensors).toBe(before);
  }
});

describe('a model folder that cannot be used is refused in one line', () => {
  it('for its files', async () => {
    await refused(loadDecoder(join(scratch, 'none')), /none: no such folder/);
    const folder = copy();
    truncateSync(join(folder, 'model.safetensors'), 50_000);
    await refused(loadDecoder(folder), /model\.safetensors: truncated: tensor model\./);
    rmSync(join(folder, 'model.safetensors'));
    await refused(loadDecoder(folder), /no model\.safetensors/);
    rmSync(join(folder, 'config.json'));
    await refused(loadDecoder(folder), /config\.json.*no such file/);
  });

  it('for a folder where a file is expected', async () => {
    for (const name of ['config.json', 'model.safetensors']) {
      const folder = copy();
      rmSync(join(folder, name));
      mkdirSync(join(folder, name));
      await refused(loadDecoder(folder), new RegExp(`${name}.*it is a folder`));
    }
  });

  it('for integer weights', async () => {
    const folder = copy();
    const path = join(folder, 'model.safetensors');
    const tensors = readSafetensors(path);
    const name = 'model.layers.1.mlp.up_proj.weight';
    const { shape } = tensors.get(name)!;
    tensors.set(name, { shape, values: new Int32Array(shape[0]! * shape[1]!) });
    writeSafetensors(path, tensors);
    await refused(loadDecoder(folder), /up_proj\.weight has integers \(I32\).*unquantized/);
  });

  it('for a tensor that is missing or of another shape', async () => {
    const folder = copy();
    const path = join(folder, 'model.safetensors');
    const tensors = readSafetensors(path);
    tensors.set('model.norm.weight', { shape: [31], values: new Float32Array(31) });
    writeSafetensors(path, tensors);
    await refused(loadDecoder(folder), /tensor model\.norm\.weight has shape \[31\], .*\[32\]/);
    tensors.delete('model.norm.weight');
    writeSafetensors(path, tensors);
    await refused(loadDecoder(folder), /tensor model\.norm\.weight is missing/);
    const untied = editConfig(copy(), (config) => (config.tie_word_embeddings = false));
    await refused(loadDecoder(untied), /lm_head\.weight is missing.*tie_word_embeddings/);
  });

  it('for a tensor that no part of the model takes, unless the family knows it to be harmless', async () => {
    const withTensors = (family: string, ...names: string[]): string => {
      const folder = copy(family);
      const path = join(folder, 'model.safetensors');
      const tensors = readSafetensors(path);
      for (const name of names) tensors.set(name, { shape: [8], values: new Float32Array(8) });
      writeSafetensors(path, tensors);
      return folder;
    };
    const norms = ['model.layers.0.self_attn.q_norm.weight', 'model.layers.1.self_attn.q_norm.weight'];
    await refused(
      loadDecoder(withTensors('qwen2', ...norms)),
      /tensor model\.layers\.0\.self_attn\.q_norm\.weight and 1 more has no place in a qwen2 model/,
    );
    const bias = 'model.layers.1.self_attn.o_proj.bias';
    await refused(loadDecoder(withTensors('llama', bias)), /o_proj\.bias has no place in a llama model/);
    const frequencies = 'model.layers.0.self_attn.rotary_emb.inv_freq';
    await refused(loadDecoder(withTensors('qwen2', frequencies)), /inv_freq has no place in a qwen2 model/);
    (await loadDecoder(withTensors('llama', frequencies))).dispose();
    // in a shard that the index does not name for it, too
    const shards = withTensors('llama', bias);
    const all = [...readSafetensors(join(shards, 'model.safetensors')).keys()];
    const map = all.filter((name) => name !== bias).map((name) => [name, 'model-1.safetensors']);
    renameSync(join(shards, 'model.safetensors'), join(shards, 'model-1.safetensors'));
    const index = { weight_map: Object.fromEntries(map) };
    writeFileSync(join(shards, 'model.safetensors.index.json'), JSON.stringify(index));
    await refused(loadDecoder(shards), /model-1\.safetensors: tensor .*o_proj\.bias has no place/);
  });

  it.each([
    [{ model_type: 'mamba' }, /unknown model_type "mamba". Known model types: qwen2.*llama/],
    [{ hidden_size: 'big' }, /config\.json.*hidden_size.*integer/],
    [{ hidden_act: 'gelu' }, /hidden_act "gelu"/],
    [
      { layer_types: ['linear_attention', 'full_attention'] },
      /layer_types "linear_attention" is not supported/,
    ],
    [{ num_key_value_heads: 3 }, /not a multiple/],
    [{ num_attention_heads: 32, num_key_value_heads: 32 }, /even integer/],
    [
      { rope_parameters: { rope_type: 'proportional' } },
      /unknown rope type "proportional". Known types: default, linear, dynamic/,
    ],
    [{ rope_parameters: { rope_type: 'llama3', factor: 2 } }, /needs a number low_freq_factor/],
    [{ quantization_config: { bits: 4 } }, /quantized/],
    // other models name their settings otherwise, and are named all the same
    [{ model_type: 'gpt2', hidden_size: undefined, vocab_size: undefined }, /unknown model_type "gpt2"/],
    [{ model_type: 7 }, /\/model_type: must be string, found 7/],
    [
      { rope_parameters: { rope_theta: '10000' } },
      /rope_parameters\/rope_theta: must be number or null, found "10000"/,
    ],
    [{ rope_parameters: { rope_theta: 0 } }, /rope_parameters\/rope_theta: must be > 0/],
    [{ rope_parameters: null, rope_theta: 'abc' }, /\/rope_theta: must be number or null/],
    [{ rope_parameters: { rope_type: 2 } }, /rope_type: must be string or null/],
    [{ rope_parameters: { rope_type: 'linear', factor: '2' } }, /factor: must be number or null/],
    [{ rope_parameters: { rope_type: 'linear', factor: -2 } }, /factor: must be > 0/],
    [
      { rope_parameters: { rope_type: 'yarn', factor: 2, original_max_position_embeddings: 0 } },
      /original_max_position_embeddings: must be at least 1/,
    ],
    [
      { rope_parameters: { rope_type: 'yarn', factor: 2, truncate: 'no' } },
      /truncate: must be boolean or null/,
    ],
    [
      { rope_parameters: { rope_type: 'yarn', factor: 2, rope_theta: 1 } },
      /needs a rope_theta above 1, found 1/,
    ],
    [
      {
        rope_parameters: {
          ...{ rope_type: 'llama3', factor: 8, original_max_position_embeddings: 64 },
          ...{ low_freq_factor: 4, high_freq_factor: 4 },
        },
      },
      /needs low_freq_factor below high_freq_factor, found 4 and 4/,
    ],
    [{ partial_rotary_factor: 0.5 }, /partial_rotary_factor 0.5 is not supported in qwen2, expected 1/],
    [{ rope_parameters: { rope_type: 'dynamic' } }, /rope type "dynamic" needs a number factor, found none/],
    [
      { rope_parameters: { rope_type: 'dynamic', factor: 2 }, head_dim: 2 },
      /needs a rotary width of each head above 2/,
    ],
    [
      { rope_parameters: { rope_type: 'longrope', short_factor: [1, 1], long_factor: [1, 1, 1, 1] } },
      /needs 4 numbers in short_factor, half of a head's rotary width, found 2/,
    ],
    [
      { rope_parameters: { rope_type: 'longrope', short_factor: [1, 1, 1, 1] } },
      /needs 4 numbers in long_factor/,
    ],
    [
      { rope_parameters: { rope_type: 'longrope', short_factor: [1, 1, 1, 0] } },
      /short_factor\/3: must be > 0/,
    ],
    [{ rope_parameters: { partial_rotary_factor: '1' } }, /partial_rotary_factor: must be number or null/],
  ])('for %j in its configuration', async (change, message) => {
    await refused(loadDecoder(editConfig(copy(), (config) => Object.assign(config, change))), message);
  });
});

describe('initModel', () => {
  it.each(families.map(({ modelType }) => modelType))(
    'writes a %s that loads, the same for the same seed',
    async (architecture) => {
      const shape = { architecture, hiddenSize: 32, numLayers: 2, vocabSize: 64, seed: 5 };
      const [a, b, c] = [fresh(), fresh(), fresh()];
      const count = initModel({ ...shape, outputDir: a });
      initModel({ ...shape, outputDir: b });
      initModel({ ...shape, seed: 6, outputDir: c });
      const bytes = (folder: string) => readFileSync(join(folder, 'model.safetensors'));
      expect(bytes(a).equals(bytes(b))).toBe(true);
      expect(bytes(a).equals(bytes(c))).toBe(false);
      const decoder = await loadDecoder(a);
      expect([...decoder.weights().values()].reduce((sum, tensor) => sum + tensor.size, 0)).toBe(count);
      decoder.dispose();
    },
  );

  it('uses as many rows as the tokenizer has tokens, and damages nothing', () => {
    const folder = fresh();
    const writeTokenizer = (target: string) => {
      writeFileSync(join(target, 'tokenizer.json'), '{}');
      return 300;
    };
    initModel({ outputDir: folder, hiddenSize: 32, numLayers: 1, vocabSize: 512, writeTokenizer });
    expect(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).vocab_size).toBe(304);
    const before = readdirSync(folder);
    expect(() => initModel({ outputDir: folder })).toThrow(/not empty/);
    expect(readdirSync(folder)).toEqual(before);
    expect(() => initModel({ outputDir: fresh(), hiddenSize: 30, numHeads: 4 })).toThrow(UserError);
    const unknown = () => initModel({ outputDir: fresh(), architecture: 'mamba' });
    expect(unknown).toThrow(/`architecture`: expected one of qwen2 .*llama.*, found "mamba"/);
  });
});

it('merge-lora writes a folder with everything the base has, and refuses one that is in use', async () => {
  const outputDir = fresh();
  const options = {
    modelPath: fixture('qwen2'),
    adapterPath: fixture('qwen2', 'dora'),
    outputDir,
    backend: 'cpu',
  };
  await mergeLora(options);
  const decoder = await loadDecoder(outputDir);
  const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)));
  expect(relativeError(logits, expectedOf('qwen2', 'dora').get('logits')!)).toBeLessThan(1e-4);
  decoder.dispose();
  expect(existsSync(join(outputDir, 'generation_config.json'))).toBe(true);
  await refused(mergeLora(options), /not empty/);
});

it('a new model folder that cannot be is refused before any work, and nothing is made', async () => {
  const folder = copy();
  const file = join(folder, 'config.json');
  for (const [outputDir, message] of [
    [file, /`outputDir`: cannot write to .*config\.json is a file/],
    [join(file, 'x'), /`outputDir`: cannot write to .*config\.json is a file/],
    ['/proc/arclab/x', /`outputDir`: cannot write to \/proc/],
    [folder, /the folder is not empty, give `outputDir` a new one/],
  ] as const) {
    await refused((async () => initModel({ outputDir }))(), message);
    const merging = mergeLora({
      modelPath: 'no/model',
      adapterPath: 'no/adapter',
      outputDir,
      backend: 'cpu',
    });
    await refused(merging, message);
  }
  expect(readdirSync(folder).sort()).toEqual(
    readdirSync(fixture('qwen2'))
      .filter((n) => existsSync(join(folder, n)))
      .sort(),
  );
});
