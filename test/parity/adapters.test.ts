/** Adapters on embeddings and head, as PEFT computes, reads and writes them. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import type { AdapterState } from '../../src/models/adapter-state.js';
import { attachAdapter, bytesToAttach, detachAdapter, type MergeMode } from '../../src/models/attach.js';
import type { Decoder } from '../../src/models/decoder.js';
import { readAdapter } from '../../src/models/index.js';
import { KvCache } from '../../src/models/kv-cache.js';
import { loadDecoder } from '../../src/models/load.js';
import type { LoraOptions } from '../../src/models/lora.js';
import { type HostTensor, readSafetensors, writeSafetensors } from '../../src/models/safetensors.js';
import { saveAdapter, saveModel } from '../../src/models/save.js';
import { adamW } from '../../src/tensors/ops/index.js';
import * as tf from '../../src/tensors/tf.js';
import { programUnderTest } from '../prerequisites/index.js';
import { backends } from './backends.js';
import {
  answerLogProbs,
  asInFiles,
  fixture,
  lossAndGradients,
  meta,
  packed,
  relativeError,
  useBackend,
} from './fixtures.js';

const tolerance = 1e-4;
const families = ['qwen2', 'llama'];
const kinds = [
  'embeddings-lora',
  'head-rslora',
  'tables-lora',
  'tables-dora',
  'head-dora',
  'tables-only-named',
  'saved-tables',
  'saved-embeddings',
  'saved-norms',
  'saved-blocks',
];
const cases = [
  ...families.flatMap((family) => kinds.map((kind) => [family, kind] as const)),
  ...['tables-lora', 'tables-dora', 'saved-tables'].map((kind) => ['gemma2', kind] as const),
];
const kept = Int32Array.from(JSON.parse(readFileSync(fixture('kept.json'), 'utf8')) as number[]);
const modes: MergeMode[] = ['copy', 'never', 'replace'];

const expectedOf = (family: string, kind: string, of = 'expected') =>
  readSafetensors(fixture(family, kind, `${of}.safetensors`));

const logitsOf = (decoder: Decoder): Float32Array =>
  tf.tidy(() => decoder.logits(decoder.forward(packed)).dataSync<'float32'>().slice());

const weightsOf = (decoder: Decoder): [string, Float32Array][] =>
  Array.from(decoder.weights(), ([name, tensor]) => [name, tensor.dataSync<'float32'>().slice()]);

/** Rows of kept tokens, or columns, of a tensor that has one for each token. */
function keptOf(name: string, { shape, values }: HostTensor): Float32Array {
  const [rows, columns = 1] = shape as [number, number];
  const all = Array.from(values);
  if (/lm_head.*(lora_B|magnitude)|(lm_head|embed_tokens)\.weight/.test(name))
    return Float32Array.from([...kept].flatMap((id) => all.slice(id * columns, (id + 1) * columns)));
  if (!name.includes('lora_embedding_A')) return Float32Array.from(all);
  return Float32Array.from(
    Array.from({ length: rows }, (_, row) => [...kept].map((id) => all[row * columns + id]!)).flat(),
  );
}

const scratch = mkdtempSync(join(tmpdir(), 'arclab-tables-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe.each(backends)('on backend %s', (backend) => {
  beforeAll(() => useBackend(backend));

  it.each(cases)('%s with %s equals PEFT: logits, gradients, AdamW, merged', async (family, kind) => {
    const expected = expectedOf(family, kind);
    const decoder = await loadDecoder(fixture(family), {
      adapterPath: fixture(family, kind),
      trainable: 'adapter',
    });
    expect(relativeError(logitsOf(decoder), expected.get('logits')!)).toBeLessThan(tolerance);
    const logProbs = answerLogProbs(decoder);
    expect(relativeError(logProbs, expected.get('label_log_probs')!)).toBeLessThan(tolerance);
    for (const matrix of [decoder.embedTokens, decoder.head]) {
      const theirs = expected.get(`merged.${matrix.name.split('.').at(-1)}`);
      if (!theirs) continue;
      const dense = matrix.weight.dense();
      expect(relativeError(dense, theirs), matrix.name).toBeLessThan(tolerance);
      dense.dispose();
    }

    const variables = decoder.trainableVariables();
    const names = [...expected.keys()].filter((name) => name.startsWith('gradient.'));
    expect([...variables.keys()].map((name) => `gradient.${name}`).sort()).toEqual(names.sort());
    const list = [...variables.values()];
    const [first, second] = [0, 1].map(() => list.map((v) => tf.variable(tf.zerosLike(v), false))) as [
      tf.Variable[],
      tf.Variable[],
    ];
    const compare = (name: string, tensor: tf.Tensor, what: string) => {
      const ours = asInFiles(name, tensor);
      expect(ours.shape).toEqual(expected.get(`${what}.${name}`)!.shape);
      expect(relativeError(ours, expected.get(`${what}.${name}`)!), `${what} of ${name}`).toBeLessThan(
        tolerance,
      );
      ours.dispose();
    };
    for (let step = 1; step <= 3; step++) {
      decoder.gradientCheckpointing = step === 2;
      const { loss, gradients } = await lossAndGradients(decoder);
      if (step === 1) {
        expect(Math.abs(loss - expected.get('loss')!.values[0]!)).toBeLessThan(tolerance);
        for (const [name, gradient] of gradients) compare(name, gradient, 'gradient');
      }
      adamW(list, [...gradients.values()], first, second, { ...meta.adamw, step });
      tf.dispose([...gradients.values()]);
      if (step === 1) for (const [name, variable] of variables) compare(name, variable, 'step1');
    }
    const after = await lossAndGradients(decoder);
    expect(after.loss / expected.get('loss_after_3')!.values[0]! - 1).toBeCloseTo(0, 3);
    tf.dispose([logProbs, first, second, [...after.gradients.values()]] as tf.TensorContainer);
    decoder.dispose();
  });

  it.each(cases)('%s with %s: tokens one by one from a cache equal the packed pass', async (family, kind) => {
    const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
    const logits = logitsOf(decoder);
    const width = decoder.config.vocabSize;
    const cache = new KvCache(decoder.config, { slots: 1, maxLength: 16 });
    const sequence = meta.sequences[0]!;
    for (const [i, token] of sequence.entries()) {
      const row = tf.tidy(() =>
        decoder
          .logits(
            decoder.forwardCached(Int32Array.of(token), Int32Array.of(0), Int32Array.of(i), cache),
            cache,
          )
          .dataSync<'float32'>()
          .slice(),
      );
      expect(relativeError(row, logits.subarray(i * width, (i + 1) * width))).toBeLessThan(tolerance);
    }
    cache.dispose();
    decoder.dispose();
  });

  describe.each(cases)('%s with %s', (family, kind) => {
    it.each(modes)('merge: %s comes and goes, and the base is as it was', async (merge) => {
      const decoder = await loadDecoder(fixture(family));
      const base = { weights: weightsOf(decoder), logits: logitsOf(decoder), isTied: decoder.isHeadTied };
      const before = { bytes: decoder.bytes, ...tf.memory() };
      const adapter: AdapterState = readAdapter(fixture(family, kind), decoder.adapterBase());
      const predicted = bytesToAttach(decoder, adapter, { merge });
      await attachAdapter(decoder, adapter, { merge });
      expect(relativeError(logitsOf(decoder), expectedOf(family, kind).get('logits')!)).toBeLessThan(
        tolerance,
      );
      // a base that both tables have left is gone, which is not known before
      if (!kind.includes('dora') && !(merge === 'replace' && base.isTied))
        expect(decoder.bytes - before.bytes).toBe(predicted);
      const log = answerLogProbs(decoder);
      expect(relativeError(log, expectedOf(family, kind).get('label_log_probs')!)).toBeLessThan(tolerance);
      log.dispose();
      detachAdapter(decoder);
      expect(weightsOf(decoder)).toEqual(base.weights);
      expect(logitsOf(decoder)).toEqual(base.logits);
      expect(decoder.isHeadTied).toBe(base.isTied);
      expect(decoder.bytes).toBe(before.bytes);
      expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
      decoder.dispose();
    });
  });

  it.each(cases.filter(([, kind]) => kind !== 'tables-dora'))(
    '%s with %s and a cut vocabulary equals PEFT over the kept tokens',
    async (family, kind) => {
      const expected = expectedOf(family, kind, 'expected-cut');
      const decoder = await loadDecoder(fixture(family), {
        adapterPath: fixture(family, kind),
        trainable: 'adapter',
        vocabulary: kept,
      });
      expect(relativeError(logitsOf(decoder), expected.get('logits')!)).toBeLessThan(tolerance);
      const { loss, gradients } = await lossAndGradients(decoder);
      expect(Math.abs(loss - expected.get('loss')!.values[0]!)).toBeLessThan(tolerance);
      for (const [name, gradient] of gradients) {
        const ours = asInFiles(name, gradient);
        const theirs = keptOf(name, expected.get(`gradient.${name}`)!);
        expect(relativeError(ours, theirs), name).toBeLessThan(tolerance);
        tf.dispose([ours, gradient]);
      }
      decoder.dispose();
    },
  );
});

describe("one adapter for both tables (PEFT's ensure_weight_tying)", () => {
  const load = (kind: string, options: object) =>
    loadDecoder(fixture('qwen2'), { adapterPath: fixture('qwen2', kind), ...options });
  const both = ['tied-lora', 'tied-saved'];
  beforeAll(() => useBackend('cpu'));

  it.each(both.flatMap((kind) => [false, true].map((merge) => [kind, merge] as const)))(
    '%s computes as PEFT, merged: %s',
    async (kind, merge) => {
      const decoder = await load(kind, { merge });
      const expected = expectedOf('qwen2', kind).get('logits')!;
      expect(relativeError(logitsOf(decoder), expected)).toBeLessThan(tolerance);
      decoder.dispose();
    },
  );

  it.each(both)('%s is not trained', async (kind) => {
    await expect(load(kind, { trainable: 'adapter' })).rejects.toThrow(
      /^the adapter has ensure_weight_tying, which trains one adapter for embeddings and head.*; merge it.*$/,
    );
  });
});

describe('OLoRA', () => {
  beforeAll(() => useBackend('cpu'));
  const lora: LoraOptions = {
    ...{ rank: 4, alpha: 6, dropout: 0, useRslora: false, useDora: false, init: 'olora' },
    targetModules: ['q_proj', 'k_proj', 'down_proj', 'embed_tokens'],
  };

  it.each(families)('%s: begins with the matrices of PEFT, to the sign', async (family) => {
    const expected = expectedOf(family, 'olora');
    const base = await loadDecoder(fixture(family));
    const decoder = await loadDecoder(fixture(family), { lora, rng: Rng.of(1) });
    expect(relativeError(logitsOf(decoder), logitsOf(base))).toBeLessThan(2e-5);
    for (const [name, variable] of decoder.trainableVariables()) {
      // drawn at random
      if (name.includes('lora_embedding_B')) continue;
      const ours = asInFiles(name, variable);
      expect(relativeError(ours, expected.get(`initial.${name}`)!), name).toBeLessThan(tolerance);
      ours.dispose();
    }
    base.dispose();
    decoder.dispose();
  });

  it.each(families)('%s: reads what PEFT has converted, and refuses what it has not', async (family) => {
    const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, 'olora-converted') });
    expect(relativeError(logitsOf(decoder), expectedOf(family, 'olora').get('logits')!)).toBeLessThan(
      tolerance,
    );
    decoder.dispose();
    await expect(loadDecoder(fixture(family), { adapterPath: fixture(family, 'olora') })).rejects.toThrow(
      /init_lora_weights "olora" changes the base by what the adapter does not say; convert the adapter.*/,
    );
  });
});

describe('targets, ranks and alphas of a fresh adapter', () => {
  beforeAll(() => useBackend('cpu'));
  const plain: LoraOptions = {
    ...{ rank: 4, alpha: 6, dropout: 0, useRslora: false, useDora: false, init: 'default' },
    targetModules: ['all-linear', 'lm_head'],
    excludeModules: ['o_proj', 'layers.0.self_attn.k_proj'],
    rankPattern: { down_proj: 2, 'layers.1.*(gate|up)_proj': 3 },
    alphaPattern: { lm_head: 9, '^model.*v_proj': 1.5 },
  };
  const make = (options: Partial<LoraOptions>) =>
    loadDecoder(fixture('qwen2'), { lora: { ...plain, ...options }, rng: Rng.of(1) });

  it.each([
    ['plain', {}],
    ['rsLoRA', { useRslora: true }],
    ['PiSSA', { init: 'pissa' }],
    ['PiSSA rsLoRA', { init: 'pissa', useRslora: true }],
    ['OLoRA', { init: 'olora' }],
  ] as [string, Partial<LoraOptions>][])(
    '%s: are as asked for, and written as they were',
    async (_, options) => {
      const decoder = await make(options);
      const sizes = (from: Decoder) =>
        from
          .matrices()
          .flatMap(({ name, adapter }) =>
            adapter ? [[name, adapter.a.shape[0]!, adapter.scaling] as const] : [],
          );
      const found = new Map(sizes(decoder).map(([name, rank, scaling]) => [name, { rank, scaling }]));
      const names = [...decoder.adapterTargets().keys()];
      const left = names
        .filter((name) => !found.has(name))
        .map((name) => name.split('.').slice(-3).join('.'));
      expect(left).toEqual([
        'model.embed_tokens',
        '0.self_attn.k_proj',
        '0.self_attn.o_proj',
        '1.self_attn.o_proj',
      ]);
      const at = (name: string) => found.get(name)!;
      const by = (alpha: number, rank: number) => alpha / (options.useRslora ? Math.sqrt(rank) : rank);
      expect(at('model.layers.0.mlp.down_proj')).toEqual({ rank: 2, scaling: by(6, 2) });
      expect(at('model.layers.1.mlp.up_proj')).toEqual({ rank: 3, scaling: by(6, 3) });
      expect(at('model.layers.0.mlp.up_proj')).toEqual({ rank: 4, scaling: by(6, 4) });
      expect(at('model.layers.1.self_attn.v_proj')).toEqual({ rank: 4, scaling: by(1.5, 4) });
      expect(at('lm_head')).toEqual({ rank: 4, scaling: by(9, 4) });

      const folder = mkdtempSync(join(scratch, 'patterns-'));
      await saveAdapter(decoder, folder);
      const config = JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));
      const factor = options.init ? 2 : 1;
      expect(config.rank_pattern).toEqual({ down_proj: 2 * factor, 'layers.1.*(gate|up)_proj': 3 * factor });
      expect(Object.keys(config.alpha_pattern)).toEqual(['lm_head', '^model.*v_proj']);
      expect(config.exclude_modules).toEqual(plain.excludeModules);
      const again = await loadDecoder(fixture('qwen2'), { adapterPath: folder, trainable: 'adapter' });
      for (const [name, rank, scaling] of sizes(again)) {
        expect(rank, name).toBe(at(name).rank);
        expect(scaling, name).toBeCloseTo(at(name).scaling, 10);
      }
      expect(sizes(again)).toHaveLength(found.size);
      const { targetModules, alphaPattern, ...others } = plain;
      expect(again.lora).toMatchObject({ ...others, ...options, alpha: expect.closeTo(6, 10) });
      decoder.dispose();
      again.dispose();
    },
  );

  it.each([
    [
      { rankPattern: { upproj: 2 } },
      /`lora.rankPattern`: "upproj" is the name of nothing that gets an adapter/,
    ],
    [{ alphaPattern: { o_proj: 2 } }, /`lora.alphaPattern`: "o_proj" is the name of nothing/],
    [
      { rankPattern: { 'q_proj(': 2 } },
      /^`lora.rankPattern`: "q_proj\(" is not a pattern for names of modules/,
    ],
    [
      { excludeModules: ['oproj'] },
      /^`lora.excludeModules`: unknown module "oproj". Known: embed_tokens, q_proj/,
    ],
    [{ targetModules: ['oproj'] }, /^unknown target module "oproj". Known: embed_tokens, q_proj/],
    [
      { targetModules: ['q_proj'], excludeModules: ['q_proj'] },
      /`lora.excludeModules` and `lora.modulesToSave` leave out all/,
    ],
    [
      { init: 'pissa', rankPattern: { q_proj: 33 } },
      /pissa rank 33 is above the rank of .*q_proj \[32, 32\]/,
    ],
    [
      { modulesToSave: ['noorm'] },
      /`lora.modulesToSave`: no name of a module ends in "noorm"; norm, embed_tokens and lm_head are some/,
    ],
    [
      { modulesToSave: ['head'], targetModules: ['lm_head', 'q_proj'], excludeModules: [], alphaPattern: {} },
      /`lora.modulesToSave`: lm_head would be trained as a whole and have an adapter, too; name it in `lora.exclude/,
    ],
    [{ init: 'olora', useDora: true }, /olora changes the base weights/],
  ] as [Partial<LoraOptions>, RegExp][])('%j is refused', async (options, message) => {
    await expect(make(options)).rejects.toThrow(message);
  });
});

it('DoRA on the embeddings of a cut vocabulary is refused: its norms are over all tokens', async () => {
  await useBackend('cpu');
  await expect(
    loadDecoder(fixture('llama'), { adapterPath: fixture('llama', 'tables-dora'), vocabulary: kept }),
  ).rejects.toThrow(/^DoRA on model.embed_tokens needs the rows of all tokens: leave out `pruneVocab`.*$/);
});

it("a table beside an adapter has to be the base's", async () => {
  await useBackend('cpu');
  const folder = join(scratch, 'other-table');
  cpSync(fixture('llama', 'embeddings-lora'), folder, { recursive: true });
  const path = join(folder, 'adapter_model.safetensors');
  const tensors = readSafetensors(path);
  const key = 'base_model.model.model.embed_tokens.base_layer.weight';
  const table = tensors.get(key)!;
  table.values[70] = 5;
  writeSafetensors(path, tensors);
  await expect(loadDecoder(fixture('llama'), { adapterPath: folder })).rejects.toThrow(
    `${key} is not the base's model.embed_tokens`,
  );
});

/** Adapters that training begins with on the tables, each with the tokens that are kept, or all. */
const freshCases = families.flatMap((family) =>
  (
    [
      ['plain', {}, undefined],
      ['gaussian rsLoRA', { init: 'gaussian', useRslora: true }, undefined],
      ['DoRA', { useDora: true }, undefined],
      ['PiSSA', { init: 'pissa' }, undefined],
      ['PiSSA rsLoRA', { init: 'pissa', useRslora: true }, undefined],
      ['OLoRA', { init: 'olora' }, undefined],
      [
        'ranks and alphas',
        {
          init: 'pissa',
          excludeModules: ['o_proj'],
          rankPattern: { down_proj: 2, 'layers.1.*(gate|up)_proj': 3, embed_tokens: 5 },
          alphaPattern: { lm_head: 9, '^model.*v_proj': 1.5 },
        },
        undefined,
      ],
      [
        'modules to save',
        { targetModules: ['all-linear'], modulesToSave: ['norm', 'lm_head', 'v_proj'] },
        undefined,
      ],
      [
        'modules to save, cut',
        { targetModules: ['q_proj'], modulesToSave: ['embed_tokens', 'lm_head'] },
        kept,
      ],
      ['plain, cut', {}, kept],
      ['PiSSA, cut', { init: 'pissa' }, kept],
      ['DoRA, head, cut', { useDora: true, targetModules: ['lm_head'] }, kept],
    ] as [string, Partial<LoraOptions>, Int32Array | undefined][]
  ).map(([name, options, vocabulary]) => {
    const lora: LoraOptions = {
      ...{ rank: 3, alpha: 4, dropout: 0.25, useRslora: false, useDora: false, init: 'default' },
      ...{ targetModules: ['all-linear', 'embed_tokens', 'lm_head'], ...options },
    };
    return { family, name, lora, ...(vocabulary ? { vocabulary } : {}) };
  }),
);
const folderOf = (family: string, name: string) => join(scratch, `${family}-${name.replace(/\W+/g, '-')}`);

/** Moves every trainable value by a little. */
function train(decoder: Decoder): void {
  const rng = Rng.of(5);
  for (const variable of decoder.trainableVariables().values()) {
    const values = variable.dataSync().map((value) => value + rng.normal(0, 0.1));
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
  }
}

describe('a fresh adapter on the tables', () => {
  beforeAll(() => useBackend('cpu'));

  it.each(freshCases)('$family, $name: changes nothing at first and survives its files', async (item) => {
    const { family, lora, name, ...cut } = item;
    const base = await loadDecoder(fixture(family), cut);
    const baseLogits = logitsOf(base);
    base.dispose();
    const decoder = await loadDecoder(fixture(family), { ...cut, lora, rng: Rng.of(3) });
    expect(relativeError(logitsOf(decoder), baseLogits)).toBeLessThan(2e-5);
    const names = [...decoder.trainableVariables().keys()].map((name) =>
      name.replace(/^base_model\.model\./, ''),
    );
    for (const table of lora.modulesToSave ?? lora.targetModules!) {
      if (table === 'all-linear') continue;
      expect(
        names.filter((name) => name.includes(`${table}.`)),
        table,
      ).not.toEqual([]);
    }
    train(decoder);
    const trained = logitsOf(decoder);
    const folder = folderOf(family, name);
    await saveAdapter(decoder, folder);
    const variables = Array.from(decoder.trainableVariables(), ([n, v]) => [n, v.dataSync().slice()]);
    decoder.dispose();

    const resumed = await loadDecoder(fixture(family), { ...cut, adapterPath: folder, trainable: 'adapter' });
    expect(Array.from(resumed.trainableVariables(), ([n, v]) => [n, v.dataSync().slice()])).toEqual(
      variables,
    );
    expect(logitsOf(resumed)).toEqual(trained);
    expect(resumed.lora).toMatchObject({ rank: lora.rank, dropout: lora.dropout, useDora: lora.useDora });
    expect(resumed.lora!.modulesToSave).toEqual(lora.modulesToSave);
    resumed.dispose();

    const merged = await loadDecoder(fixture(family), { ...cut, adapterPath: folder, merge: true });
    expect(relativeError(logitsOf(merged), trained)).toBeLessThan(2e-5);
    merged.dispose();
    // the whole vocabulary, of which the kept tokens are as they were in training
    const whole = await loadDecoder(fixture(family), { adapterPath: folder });
    const all = logitsOf(whole);
    const ours = cut.vocabulary ? all.filter((_, i) => kept.includes(i % whole.config.vocabSize)) : all;
    expect(relativeError(ours, trained)).toBeLessThan(2e-5);
    whole.dispose();
  });

  it('embeddings start as in PEFT: A of zeros, B normal, whatever the others start as', async () => {
    const lora: LoraOptions = {
      ...{ rank: 64, alpha: 4, dropout: 0, useRslora: false, useDora: false, init: 'gaussian' },
      targetModules: ['embed_tokens'],
    };
    const decoder = await loadDecoder(fixture('qwen2'), { lora, rng: Rng.of(1) });
    const { a, b } = decoder.embedTokens.adapter!;
    expect(b.dataSync().every((value) => value === 0)).toBe(true);
    const values = Array.from(a.dataSync());
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
    expect(deviation).toBeCloseTo(1, 1);
    decoder.dispose();
  });

  it("dropout acts on the head's input, on no embedding", async () => {
    const decoder = await loadDecoder(fixture('llama'), { adapterPath: fixture('llama', 'tables-lora') });
    for (const { adapter } of decoder.matrices()) if (adapter) adapter.dropout = 0.5;
    const q = decoder.layers.flatMap(({ attentionInput }) => attentionInput.all[0]!.adapter ?? []);
    for (const adapter of q) adapter.dropout = 0;
    const hidden = tf.tidy(() => decoder.forward(packed, { training: true, rng: Rng.of(1) }));
    const plain = tf.tidy(() => decoder.forward(packed));
    expect(hidden.dataSync()).toEqual(plain.dataSync());
    const labels = Int32Array.from(meta.sequences.flat());
    const scores = (training: boolean, seed: number) =>
      tf.tidy(() => decoder.labelLogProbs(hidden, labels, { training, rng: Rng.of(seed) }).dataSync());
    expect(scores(true, 1)).toEqual(scores(true, 1));
    expect(scores(true, 1)).not.toEqual(scores(true, 2));
    expect(scores(false, 1)).toEqual(scores(false, 2));
    tf.dispose([hidden, plain]);
    decoder.dispose();
  });
});

const python = programUnderTest('python with peft');
const reload = fileURLToPath(new URL('./reload.py', import.meta.url));

describe.skipIf(python === undefined)('transformers and PEFT load what is saved', () => {
  const at = (...names: string[]) => join(scratch, names.join('-'));
  const expected = new Map<string, Float32Array>();
  const cuts = cases.filter(([, kind]) => kind !== 'tables-dora');

  beforeAll(async () => {
    await useBackend('cpu');
    for (const [family, kind] of cases) {
      const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
      await saveModel(decoder, at(family, kind, 'merged'));
      await saveAdapter(decoder, at(family, kind, 'adapter'));
      decoder.dispose();
    }
    for (const [family, kind] of cuts) {
      const decoder = await loadDecoder(fixture(family), {
        adapterPath: fixture(family, kind),
        vocabulary: kept,
      });
      await saveAdapter(decoder, at(family, kind, 'cut'));
      await saveModel(decoder, at(family, kind, 'cut-merged'));
      decoder.dispose();
    }
    for (const { family, name, lora, ...cut } of freshCases) {
      const decoder = await loadDecoder(fixture(family), { ...cut, lora, rng: Rng.of(3) });
      train(decoder);
      await saveAdapter(decoder, at(family, name, 'fresh'));
      expected.set(at(family, name, 'fresh'), logitsOf(decoder));
      decoder.dispose();
    }
    const models = [
      ...freshCases.map(({ family, name }) => [fixture(family), at(family, name, 'fresh')]),
      ...[...families, 'gemma2'].map((family) => [fixture(family)]),
      ...cases.flatMap(([family, kind]) => [
        [at(family, kind, 'merged')],
        [fixture(family), at(family, kind, 'adapter')],
      ]),
      ...cuts.flatMap(([family, kind]) => [
        [fixture(family), at(family, kind, 'cut')],
        [at(family, kind, 'cut-merged')],
      ]),
    ];
    execFileSync(python!, [reload, JSON.stringify(models), at('logits')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }, 240_000);

  it.each(cases)('%s with %s, merged and as an adapter: the same logits', (family, kind) => {
    const logits = readSafetensors(at('logits'));
    const expected = expectedOf(family, kind).get('logits')!;
    for (const name of [at(family, kind, 'merged'), at(family, kind, 'adapter')]) {
      expect(relativeError(logits.get(name)!.values as Float32Array, expected), name).toBeLessThan(tolerance);
    }
  });

  it.each(cases)('%s with %s: the files say what PEFT says', (family, kind) => {
    const read = (folder: string) => readSafetensors(join(folder, 'adapter_model.safetensors'));
    const config = (folder: string) => JSON.parse(readFileSync(join(folder, 'adapter_config.json'), 'utf8'));
    const [ours, theirs] = [read(at(family, kind, 'adapter')), read(fixture(family, kind))];
    // a table that is the base's is not written again
    for (const key of theirs.keys()) if (key.includes('base_layer')) theirs.delete(key);
    expect(new Map([...ours].sort())).toEqual(new Map([...theirs].sort()));
    const [mine, peft] = [config(at(family, kind, 'adapter')), config(fixture(family, kind))];
    for (const key of ['r', 'lora_alpha', 'use_rslora', 'use_dora'])
      expect(mine[key], key).toEqual(peft[key]);
  });

  it.each(cuts)(
    '%s with %s of a cut vocabulary: tokens that are not kept are as in the base',
    (family, kind) => {
      const logits = readSafetensors(at('logits'));
      const expected = expectedOf(family, kind).get('logits')!.values;
      const base = logits.get(fixture(family))!.values;
      const rows = meta.sequences.flat().length;
      const width = base.length / rows;
      for (const name of ['cut', 'cut-merged']) {
        const found = logits.get(at(family, kind, name))!.values as Float32Array;
        const keptOnly = (values: ArrayLike<number>) =>
          Array.from(values).filter((_, i) => kept.includes(i % width));
        expect(relativeError(keptOnly(found), keptOnly(expected)), name).toBeLessThan(tolerance);
        if (kind !== 'head-rslora' && kind !== 'head-dora') continue;
        // nothing but the head is changed
        const others = (values: ArrayLike<number>) =>
          Array.from(values).filter((_, i) => !kept.includes(i % width));
        expect(relativeError(others(found), others(base)), name).toBeLessThan(tolerance);
      }
    },
  );

  it.each(freshCases)('$family, $name: what began here', ({ family, name, vocabulary }) => {
    const found = readSafetensors(at('logits')).get(at(family, name, 'fresh'))!.values as Float32Array;
    const ours = vocabulary ? found.filter((_, i) => kept.includes(i % 96)) : found;
    expect(relativeError(ours, expected.get(at(family, name, 'fresh'))!)).toBeLessThan(tolerance);
  });

  it('ranks and tied adapters are written so that PEFT finds them', () => {
    const path = join(at('llama', 'tables-lora', 'adapter'), 'adapter_config.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    expect(config.rank_pattern).toEqual({ lm_head: 2 });
    expect(new Set(config.target_modules)).toEqual(new Set(['embed_tokens', 'lm_head', 'q_proj']));
    writeFileSync(path, JSON.stringify(config));
  });
});
