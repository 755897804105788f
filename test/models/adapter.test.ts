import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import { Rng } from '../../src/common/rng.js';
import {
  type Decoder,
  type LoraOptions,
  loadDecoder,
  readSafetensors,
  saveAdapter,
  saveModel,
} from '../../src/models/index.js';
import { writeSafetensors } from '../../src/models/safetensors.js';
import { truncatedSvd } from '../../src/models/svd.js';
import * as tf from '../../src/tensors/tf.js';
import { expectedOf, fixture, packed, relativeError, useBackend } from '../parity/fixtures.js';

const scratch = mkdtempSync(join(tmpdir(), 'arclab-adapter-'));
afterAll(() => rmSync(scratch, { recursive: true }));
let made = 0;
const fresh = () => join(scratch, String(made++));

const plain: LoraOptions = {
  rank: 3,
  alpha: 4,
  dropout: 0,
  useRslora: false,
  useDora: false,
  init: 'default',
};

function logitsOf(decoder: Decoder): Float32Array {
  return tf.tidy(() => decoder.logits(decoder.forward(packed)).dataSync<'float32'>().slice());
}

/** Moves every trainable value by a little. */
function train(decoder: Decoder): void {
  const rng = Rng.of(5);
  for (const variable of decoder.trainableVariables().values()) {
    const values = variable.dataSync().map((value) => value + rng.normal(0, 0.1));
    tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
  }
}

beforeAll(() => useBackend('cpu'));

describe.each(['qwen2', 'llama'])('%s', (family) => {
  it.each(['lora', 'rslora', 'dora'])('a merged %s adapter gives the same logits', async (kind) => {
    const expected = expectedOf(family, kind).get('logits')!;
    const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind), merge: true });
    expect(decoder.projections().every(({ adapter }) => adapter === undefined)).toBe(true);
    expect(relativeError(logitsOf(decoder), expected)).toBeLessThan(1e-4);
    decoder.dispose();

    const saved = fresh();
    const adapted = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
    saveModel(adapted, saved);
    adapted.dispose();
    const loaded = await loadDecoder(saved);
    expect(relativeError(logitsOf(loaded), expected)).toBeLessThan(1e-4);
    loaded.dispose();
  });

  it.each(['lora', 'rslora'])(
    'a %s adapter with ranks and factors of its own for some projections is written as it was',
    async (kind) => {
      const [given, again] = [fresh(), fresh()];
      cpSync(fixture(family, kind), given, { recursive: true });
      const path = join(given, 'adapter_model.safetensors');
      const layers = [...readSafetensors(path).keys()].map((key) => Number(/layers\.(\d+)/.exec(key)![1]));
      const last = `layers.${Math.max(...layers)}.`;
      const tensors = [...readSafetensors(path)].flatMap(([key, tensor]): [string, typeof tensor][] => {
        if (key.includes(last)) return []; // layers_to_transform leaves it out
        if (!key.includes('layers.0.self_attn.q_proj')) return [[key, tensor]];
        const [rows, columns] = tensor.shape as [number, number];
        const values = tensor.values as Float32Array;
        return key.includes('lora_A')
          ? [[key, { shape: [1, columns], values: values.slice(0, columns) }]]
          : [[key, { shape: [rows, 1], values: values.filter((_, i) => i % columns === 0) }]];
      });
      writeSafetensors(path, tensors);
      const configPath = join(given, 'adapter_config.json');
      const config = {
        ...JSON.parse(readFileSync(configPath, 'utf8')),
        rank_pattern: { 'layers.0.self_attn.q_proj': 1 },
        alpha_pattern: { v_proj: 32 },
        layers_to_transform: Array.from({ length: Math.max(...layers) }, (_, i) => i),
      };
      writeFileSync(configPath, JSON.stringify(config));
      const first = await loadDecoder(fixture(family), { adapterPath: given, trainable: 'adapter' });
      saveAdapter(first, again);
      const second = await loadDecoder(fixture(family), { adapterPath: again, trainable: 'adapter' });
      const factors = (decoder: Decoder) =>
        decoder.projections().map(({ name, adapter }) => [name, adapter?.scaling, adapter?.a.shape]);
      expect(factors(second)).toEqual(factors(first));
      expect(new Set(factors(first).map(([, scaling]) => scaling)).size).toBeGreaterThan(2);
      expect(logitsOf(second)).toEqual(logitsOf(first));
      first.dispose();
      second.dispose();
    },
  );

  it.each(['lora', 'rslora', 'dora'])('a %s adapter of PEFT is written as it was read', async (kind) => {
    const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
    const folder = fresh();
    saveAdapter(decoder, folder);
    decoder.dispose();
    const read = (path: string) => readSafetensors(join(path, 'adapter_model.safetensors'));
    const theirs = [...read(fixture(family, kind))].sort(([a], [b]) => (a < b ? -1 : 1));
    const ours = [...read(folder)].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(ours).toEqual(theirs);
    const config = (path: string) => JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'));
    const [mine, peft] = [config(folder), config(fixture(family, kind))];
    for (const key of ['peft_type', 'task_type', 'r', 'lora_alpha', 'use_rslora', 'use_dora', 'bias']) {
      expect(mine[key], key).toEqual(peft[key]);
    }
    expect(new Set(mine.target_modules)).toEqual(new Set(peft.target_modules));
  });
});

describe('a fresh adapter', () => {
  it.each([
    ['default', {}],
    ['gaussian', { init: 'gaussian' }],
    ['dora', { useDora: true }],
    ['pissa', { init: 'pissa' }],
    ['pissa with rsLoRA', { init: 'pissa', useRslora: true }],
  ] as [string, Partial<LoraOptions>][])(
    '(%s) changes nothing at first and survives its files',
    async (_, o) => {
      const base = await loadDecoder(fixture('llama'));
      const baseLogits = logitsOf(base);
      base.dispose();
      const lora = { ...plain, ...o };
      const decoder = await loadDecoder(fixture('llama'), { lora, rng: Rng.of(3) });
      expect(relativeError(logitsOf(decoder), baseLogits)).toBeLessThan(2e-5);
      expect(decoder.trainableVariables().size).toBe(2 * 4 * (lora.useDora ? 3 : 2));

      train(decoder);
      const trained = logitsOf(decoder);
      expect(relativeError(trained, baseLogits)).toBeGreaterThan(1e-2);
      const folder = fresh();
      saveAdapter(decoder, folder);
      const merged = fresh();
      saveModel(decoder, merged);
      const variables = Array.from(decoder.trainableVariables(), ([n, v]) => [n, v.dataSync().slice()]);
      decoder.dispose();

      const inference = await loadDecoder(fixture('llama'), { adapterPath: folder });
      expect(relativeError(logitsOf(inference), trained)).toBeLessThan(2e-5);
      expect(inference.trainableVariables().size).toBe(0);
      inference.dispose();
      const whole = await loadDecoder(merged);
      expect(relativeError(logitsOf(whole), trained)).toBeLessThan(2e-5);
      whole.dispose();

      // training goes on with the same variables and the very same function
      const resumed = await loadDecoder(fixture('llama'), { adapterPath: folder, trainable: 'adapter' });
      expect(Array.from(resumed.trainableVariables(), ([n, v]) => [n, v.dataSync().slice()])).toEqual(
        variables,
      );
      expect(logitsOf(resumed)).toEqual(trained);
      const again = fresh();
      saveAdapter(resumed, again);
      const bytes = (path: string) => readFileSync(join(path, 'adapter_model.safetensors'));
      expect(bytes(again).equals(bytes(folder))).toBe(true);
      resumed.dispose();
    },
  );

  it('is drawn from the rng: default within 1/√in, gaussian with deviation 1/rank, B zero', async () => {
    const load = (init: LoraOptions['init'], seed: number) =>
      loadDecoder(fixture('qwen2'), {
        lora: { ...plain, init, targetModules: ['all-linear'] },
        rng: Rng.of(seed),
      });
    const values = (decoder: Decoder, part: string) =>
      Array.from(decoder.trainableVariables()).flatMap(([name, v]) =>
        name.includes(part) ? Array.from(v.dataSync()) : [],
      );
    const a = await load('default', 1);
    const b = await load('default', 1);
    const c = await load('gaussian', 1);
    expect(values(a, 'lora_A')).toEqual(values(b, 'lora_A'));
    expect(values(a, 'lora_B').every((value) => value === 0)).toBe(true);
    expect(Math.max(...values(a, 'lora_A').map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(32));
    expect(Math.max(...values(a, 'lora_A').map(Math.abs))).toBeGreaterThan(0.95 / Math.sqrt(32));
    const gaussian = values(c, 'lora_A');
    const deviation = Math.sqrt(gaussian.reduce((sum, value) => sum + value * value, 0) / gaussian.length);
    expect(deviation).toBeCloseTo(1 / 3, 1);
    for (const decoder of [a, b, c]) decoder.dispose();
  });

  it("PiSSA takes the same part out of the base as PEFT's", async () => {
    const lora: LoraOptions = {
      ...plain,
      rank: 4,
      alpha: 6,
      init: 'pissa',
      targetModules: ['q_proj', 'o_proj'],
    };
    const decoder = await loadDecoder(fixture('llama'), { lora, rng: Rng.of(1) });
    const expected = expectedOf('llama', 'pissa');
    for (const { name, adapter } of decoder.projections()) {
      if (!adapter) continue;
      const product = tf.tidy(() => tf.matMul(adapter.b as tf.Tensor2D, adapter.a as tf.Tensor2D));
      const theirs = expected.get(`initial_product.base_model.model.${name}`)!;
      expect(relativeError(product, theirs), name).toBeLessThan(1e-4);
    }
    decoder.dispose();
  });
});

it('the randomised decomposition of a large matrix finds its leading part', () => {
  const [rows, columns, rank] = [200, 150, 4];
  const rng = Rng.of(9);
  const left = Array.from({ length: rank }, () => Array.from({ length: rows }, () => rng.normal()));
  const right = Array.from({ length: rank }, () => Array.from({ length: columns }, () => rng.normal()));
  const exact = Float32Array.from({ length: rows * columns }, (_, n) => {
    const [i, j] = [Math.floor(n / columns), n % columns];
    return left.reduce((sum, u, k) => sum + (u[i]! * right[k]![j]!) / (k + 1), 0);
  });
  const noisy = exact.map((value) => value + rng.normal(0, 1e-4));
  const { u, singular, v } = truncatedSvd(noisy, rows, columns, rank, Rng.of(1));
  const rebuilt = exact.map((_, n) => {
    const [i, j] = [Math.floor(n / columns), n % columns];
    return u.reduce((sum, x, k) => sum + x[i]! * singular[k]! * v[k]![j]!, 0);
  });
  expect(relativeError(rebuilt, exact)).toBeLessThan(1e-3);
  expect([...singular].sort((x, y) => y - x)).toEqual(singular);
});

describe('an adapter that cannot be used is refused in one line', () => {
  const load = (adapterPath: string, base = 'qwen2') => loadDecoder(fixture(base), { adapterPath });
  const changed = (change: (config: Record<string, unknown>) => void) => {
    const folder = fresh();
    cpSync(fixture('qwen2', 'lora'), folder, { recursive: true });
    const path = join(folder, 'adapter_config.json');
    const config = JSON.parse(readFileSync(path, 'utf8'));
    change(config);
    writeFileSync(path, JSON.stringify(config));
    return folder;
  };
  const refused = async (promise: Promise<unknown>, message: RegExp) => {
    const error = await promise.then(
      () => undefined,
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(UserError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  };

  it('for its files', async () => {
    await refused(load(join(scratch, 'none')), /none: no such folder/);
    const empty = mkdtempSync(join(scratch, 'empty-'));
    await refused(load(empty), /adapter_config\.json: cannot read/);
    copyFileSync(fixture('qwen2', 'lora', 'adapter_config.json'), join(empty, 'adapter_config.json'));
    await refused(load(empty), /adapter_model\.safetensors.*no such file/);
    const cut = changed(() => {});
    truncateSync(join(cut, 'adapter_model.safetensors'), 5000);
    await refused(load(cut), /adapter_model\.safetensors: truncated: tensor/);
  });

  it('for its configuration', async () => {
    await refused(load(changed((c) => (c.peft_type = 'IA3'))), /peft_type "IA3" found, expected "LORA"/);
    await refused(load(changed((c) => (c.r = 0))), /adapter_config\.json.*\/r/);
    await refused(load(changed((c) => (c.r = 8))), /has rank 4, adapter_config\.json says 8/);
    await refused(load(changed((c) => (c.bias = 'all'))), /bias = "all" is not supported/);
    await refused(load(changed((c) => (c.modules_to_save = ['lm_head']))), /modules_to_save/);
    await refused(load(changed((c) => (c.use_dora = true))), /lacks a lora_magnitude_vector/);
    await refused(load(changed((c) => (c.init_lora_weights = 'olora'))), /olora.*not supported/);
    await refused(load(changed((c) => (c.rank_pattern = { '(': 4 }))), /"\(" is not a pattern/);
  });

  it('for a base that it does not fit', async () => {
    const wrong = changed(() => {});
    const path = join(wrong, 'adapter_model.safetensors');
    const tensors = readSafetensors(path);
    const name = 'base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight';
    tensors.set(name, { shape: [4, 31], values: new Float32Array(124) });
    writeSafetensors(path, tensors);
    await refused(load(wrong), /does not fit.*layers\.1.*\[4,31\], expected \[rank, 32\].*tiny-random-qwen2/);
    tensors.delete(name);
    writeSafetensors(path, tensors);
    await refused(load(wrong), /q_proj has no lora_A/);
    tensors.delete(name.replace('_A', '_B'));
    writeSafetensors(path, tensors);
    await refused(load(wrong), /nothing for model\.layers\.1\.self_attn\.q_proj/);
    tensors.set('base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight', {
      shape: [4, 32],
      values: new Float32Array(128),
    });
    writeSafetensors(path, tensors);
    await refused(load(wrong), /no projection for its tensor .*layers\.9/);
  });

  it('for the options of a fresh one', async () => {
    const make = (o: Partial<LoraOptions>) =>
      loadDecoder(fixture('qwen2'), { lora: { ...plain, ...o }, rng: Rng.of(1) });
    await refused(make({ rank: 0 }), /rank 0/);
    await refused(make({ alpha: 0 }), /alpha 0/);
    await refused(
      make({ init: 'pissa', rank: 33 }),
      /pissa rank 33 is above the rank of .*q_proj \[32, 32\]/,
    );
    await refused(make({ dropout: 1 }), /dropout 1/);
    await refused(make({ targetModules: ['qproj'] }), /unknown target module "qproj". Known: q_proj, k_proj/);
    await refused(make({ init: 'pissa', useDora: true }), /pissa.*DoRA/);
    await refused(make({ init: 'loftq' as 'pissa' }), /Known: default, gaussian, pissa/);
  });
});
