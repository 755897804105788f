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
import type { AdapterTarget } from '../../src/models/adapter-names.js';
import { fromPattern, type TargetSettings, targetedMatrices } from '../../src/models/adapter-targets.js';
import {
  type Decoder,
  type LoraOptions,
  loadDecoder,
  readSafetensors,
  saveAdapter,
  saveModel,
  writeAdapter,
} from '../../src/models/index.js';
import { readAdapter } from '../../src/models/load.js';
import { loraScaling } from '../../src/models/lora.js';
import { orthonormalColumns } from '../../src/models/olora.js';
import { writeSafetensors } from '../../src/models/safetensors.js';
import { truncatedSvd } from '../../src/models/svd.js';
import * as tf from '../../src/tensors/tf.js';
import { expectedOf, families, fixture, packed, relativeError, useBackend } from '../parity/fixtures.js';

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

describe.each(families)('%s', (family) => {
  it.each(['lora', 'rslora', 'dora'])('a merged %s adapter gives the same logits', async (kind) => {
    const expected = expectedOf(family, kind).get('logits')!;
    const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind), merge: true });
    expect(decoder.projections().every(({ adapter }) => adapter === undefined)).toBe(true);
    expect(relativeError(logitsOf(decoder), expected)).toBeLessThan(1e-4);
    decoder.dispose();

    const saved = fresh();
    const adapted = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
    await saveModel(adapted, saved);
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
        if (!/layers\.0\.self_attn\.(q|qkv)_proj/.test(key)) return [[key, tensor]];
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
        rank_pattern: { 'layers.0.self_attn.(q|qkv)_proj': 1 },
        alpha_pattern: { '(v|down)_proj': 32 },
        layers_to_transform: Array.from({ length: Math.max(...layers) }, (_, i) => i),
      };
      writeFileSync(configPath, JSON.stringify(config));
      const first = await loadDecoder(fixture(family), { adapterPath: given, trainable: 'adapter' });
      await saveAdapter(first, again);
      const second = await loadDecoder(fixture(family), { adapterPath: again, trainable: 'adapter' });
      const factors = (decoder: Decoder) =>
        decoder.projections().map(({ name, adapter }) => [name, adapter?.scaling, adapter?.a.shape]);
      expect(factors(second)).toEqual(factors(first));
      const scalings = new Set(factors(first).map(([, scaling]) => scaling));
      const adapted = first.projections().filter(({ adapter }) => adapter).length;
      expect(scalings.size).toBeGreaterThan(adapted > 1 ? 2 : 1);
      expect(logitsOf(second)).toEqual(logitsOf(first));
      first.dispose();
      second.dispose();
    },
  );

  it.each(['lora', 'rslora', 'dora'])('a %s adapter of PEFT is written as it was read', async (kind) => {
    const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
    const folder = fresh();
    await saveAdapter(decoder, folder);
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

it.each(['lora', 'dora', 'pissa', 'pissa-converted'])(
  'a %s adapter on the host is written as it was read',
  async (kind) => {
    const decoder = await loadDecoder(fixture('llama'));
    const base = decoder.adapterBase();
    const state = readAdapter(fixture('llama', kind), base);
    const folder = fresh();
    writeAdapter(folder, state, decoder.adapterBase());
    decoder.dispose();
    expect(readAdapter(folder, base)).toEqual(state);
  },
);

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
      await saveAdapter(decoder, folder);
      const merged = fresh();
      await saveModel(decoder, merged);
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
      await saveAdapter(resumed, again);
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

it('the QR decomposition gives orthonormal columns that span those of the matrix, with no sign lost', () => {
  const rng = Rng.of(8);
  for (const [rows, columns] of [
    [7, 7],
    [90, 5],
    [1, 1],
    [4, 2],
  ] as const) {
    const matrix = Float64Array.from({ length: rows * columns }, () => rng.normal());
    if (rows === 4) matrix.fill(0, 2); // nothing below the first row
    const q = orthonormalColumns(matrix, rows, columns);
    const product = (a: Float64Array, b: Float64Array, i: number, j: number) => {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += a[row * columns + i]! * b[row * columns + j]!;
      return sum;
    };
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) {
        expect(product(q, q, i, j)).toBeCloseTo(i === j ? 1 : 0, 10);
        // R has zeros below its diagonal
        if (i > j) expect(product(q, matrix, i, j)).toBeCloseTo(0, 10);
      }
    }
  }
  // LAPACK: a diagonal element has the sign opposite to its pivot's, and where nothing is reflected the same
  expect([...orthonormalColumns(Float64Array.of(3, 4), 2, 1)]).toEqual(
    [-0.6, -0.8].map((x) => expect.closeTo(x, 12)),
  );
  expect([...orthonormalColumns(Float64Array.of(-3, 0), 2, 1)]).toEqual([1, 0]);
});

describe('the singular values of a matrix', () => {
  const random = (seed: number, rows: number, columns: number) => {
    const rng = Rng.of(seed, rows, columns);
    return Float32Array.from({ length: rows * columns }, () => rng.normal());
  };
  const diagonal = (values: readonly number[]) => {
    const matrix = new Float32Array(values.length ** 2);
    for (const [i, value] of values.entries()) matrix[i * (values.length + 1)] = value;
    return matrix;
  };

  it.each<[string, Float32Array, number, number, number]>([
    ['square', random(1, 90, 90), 90, 90, 7],
    ['wide', random(2, 40, 300), 40, 300, 5],
    ['tall', random(3, 300, 41), 300, 41, 41],
    ['one row', random(4, 1, 9), 1, 9, 1],
    ['wider than 128, flat', random(5, 200, 210), 200, 210, 16],
    ['all equal', diagonal(new Array(150).fill(1)), 150, 150, 6],
    ['equal in groups', diagonal([...new Array(9).fill(3), ...new Array(60).fill(1)]), 69, 69, 12],
    ['steep', random(6, 150, 150).map((value, i) => value / (1 + Math.floor(i / 150)) ** 3), 150, 150, 10],
    [
      'of lower rank',
      Float32Array.from({ length: 3000 }, (_, i) => (i % 50) * (1 + Math.floor(i / 50))),
      60,
      50,
      3,
    ],
    ['zero', new Float32Array(30), 5, 6, 2],
  ])('are exact: %s', (_, matrix, rows, columns, rank) => {
    const { u, singular, v } = truncatedSvd(matrix, rows, columns, rank);
    const scale = singular[0]! || 1;
    for (let k = 0; k < rank; k++) {
      // W·v = σ·u and Wᵀ·u = σ·v
      for (let i = 0; i < rows; i++) {
        let sum = 0;
        for (let j = 0; j < columns; j++) sum += matrix[i * columns + j]! * v[k]![j]!;
        expect(Math.abs(sum - singular[k]! * u[k]![i]!)).toBeLessThan(1e-7 * scale);
      }
      for (let j = 0; j < columns; j++) {
        let sum = 0;
        for (let i = 0; i < rows; i++) sum += matrix[i * columns + j]! * u[k]![i]!;
        expect(Math.abs(sum - singular[k]! * v[k]![j]!)).toBeLessThan(1e-7 * scale);
      }
      if (singular[k] === 0) continue;
      for (let l = 0; l <= k; l++) {
        for (const side of [u, v]) {
          const product = side[k]!.reduce((sum, x, i) => sum + x * side[l]![i]!, 0);
          expect(product).toBeCloseTo(k === l ? 1 : 0, 6);
        }
      }
    }
    for (let k = 1; k < rank; k++) expect(singular[k]!).toBeLessThanOrEqual(singular[k - 1]! * (1 + 1e-12));
    // nothing larger is left over: the rest of the matrix shortens every vector that power iteration finds
    const rest = matrix.map((value, n) => {
      const [i, j] = [Math.floor(n / columns), n % columns];
      return u.reduce((sum, x, k) => sum - x[i]! * singular[k]! * v[k]![j]!, value);
    });
    let x = Array.from({ length: columns }, (_, i) => Math.sin(i + 1));
    let norm = 0;
    for (let round = 0; round < 60; round++) {
      const y = Array.from({ length: rows }, (_, i) =>
        x.reduce((sum, value, j) => sum + rest[i * columns + j]! * value, 0),
      );
      const z = x.map((_, j) => y.reduce((sum, value, i) => sum + rest[i * columns + j]! * value, 0));
      norm = Math.sqrt(Math.hypot(...z) / (Math.hypot(...x) || 1));
      const length = Math.hypot(...z) || 1;
      x = z.map((value) => value / length);
    }
    expect(norm).toBeLessThanOrEqual(singular.at(-1)! * (1 + 1e-6) + 1e-6 * scale);
  });
});

const targets = JSON.parse(
  readFileSync(new URL('./fixtures/adapter-targets.json', import.meta.url), 'utf8'),
) as {
  names: string[];
  cases: {
    config: TargetSettings & {
      rank_pattern?: Record<string, number>;
      alpha_pattern?: Record<string, number>;
      use_rslora?: boolean;
    };
    modules?: Record<string, { rank: number; scaling: number }>;
  }[];
};

describe('the projections of an adapter', () => {
  it.each(targets.cases.map((item) => [JSON.stringify(item.config), item] as const))(
    'are those of PEFT: %s',
    (_, { config, modules = {} }) => {
      const matrices = new Map(
        targets.names.map((name): [string, AdapterTarget] => {
          const use =
            name === 'lm_head' ? 'head' : name === 'model.embed_tokens' ? 'embedding' : 'projection';
          const tied = use === 'head' && config.ensure_weight_tying ? { tiedTo: 'model.embed_tokens' } : {};
          return [name, { use, shape: [1, 1], ...tied }];
        }),
      );
      const found = targetedMatrices(config, matrices);
      expect([...found].sort()).toEqual(Object.keys(modules).sort());
      for (const [name, { rank, scaling }] of Object.entries(modules)) {
        expect(fromPattern(config.rank_pattern, name) ?? 4).toBe(rank);
        const alpha = fromPattern(config.alpha_pattern, name) ?? 5;
        expect(loraScaling(alpha, rank, config.use_rslora ?? false)).toBeCloseTo(scaling, 10);
      }
    },
  );
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
    for (const init of ['olora', 'OLoRA', 'corda', 'loftq', 'lora_ga', 'pissa_niter_16']) {
      await refused(
        load(changed((c) => (c.init_lora_weights = init))),
        new RegExp(`"${init}" .*path_initial_model_for_weight_conversion`),
      );
    }
    await refused(load(changed((c) => (c.init_lora_weights = 'PiSSA'))), /unknown init_lora_weights "PiSSA"/);
    for (const init of ['Gaussian', 'eva', 'orthogonal', 'MiCA', false]) {
      (await load(changed((c) => (c.init_lora_weights = init)))).dispose();
    }
    await refused(load(changed((c) => (c.kasa_config = { beta: 1 }))), /kasa_config/);
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
    await refused(load(wrong), /nothing for model\.layers\.1\.self_attn\.q_proj \(/);
    // a gap in any layer, and more than one
    for (const part of ['_A', '_B']) {
      for (const other of ['q_proj', 'v_proj'])
        tensors.delete(name.replace('layers.1', 'layers.0').replace('_A', part).replace('q_proj', other));
    }
    writeSafetensors(path, tensors);
    await refused(load(wrong), /nothing for model\.layers\.0\.self_attn\.q_proj and 2 more/);
    const subset = (change: Record<string, unknown>) => {
      const configPath = join(wrong, 'adapter_config.json');
      const config = JSON.parse(readFileSync(configPath, 'utf8'));
      writeFileSync(configPath, JSON.stringify({ ...config, ...change }));
    };
    // which is no gap when it is meant
    subset({ exclude_modules: ['layers.0.self_attn.v_proj', 'q_proj'] });
    (await load(wrong)).dispose();
    subset({ exclude_modules: ['v_proj', 'q_proj'] });
    await refused(load(wrong), /tensors for model\.layers\.1\.self_attn\.v_proj, which the target_modules/);
    subset({ target_modules: '.*_proj', exclude_modules: null, layers_to_transform: [1] });
    await refused(load(wrong), /layers_to_transform has no meaning/);
    subset({ layers_to_transform: null });
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
    await refused(
      make({ targetModules: ['qproj'] }),
      /unknown target module "qproj". Known: embed_tokens, q_proj, k_proj/,
    );
    await refused(make({ init: 'pissa', useDora: true }), /pissa.*DoRA/);
    await refused(make({ init: 'loftq' as 'pissa' }), /Known: default, gaussian, pissa/);
  });
});
