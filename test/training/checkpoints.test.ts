import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { type Decoder, type LoraOptions, loadDecoder, saveAdapter } from '../../src/models/index.js';
import { writeSafetensors } from '../../src/models/safetensors.js';
import * as tf from '../../src/tensors/tf.js';
import {
  listCheckpoints,
  readCheckpoint,
  removeLeftovers,
  restoreTensors,
  saveCheckpoint,
  setAsideEarlierRun,
  type TrainerState,
} from '../../src/training/checkpoints.js';
import { CheckpointError } from '../../src/training/errors.js';
import { MetricsLog } from '../../src/training/metrics-log.js';
import { ofVariable } from '../../src/training/optimizer.js';
import { fixture } from '../parity/fixtures.js';
import { temporaryFolder } from './temporary.js';

/** Variables as a checkpoint keeps them. */
const kept = (variables: ReadonlyMap<string, tf.Variable>) =>
  new Map(Array.from(variables, ([name, variable]) => [name, ofVariable(variable)] as const));

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const state = (step: number): TrainerState => ({
  step,
  badSteps: 0,
  rng: { seed: 1, streamIndex: 2 * step },
  tokens: 10,
  window: { tally: { weighted: 0, sums: {} }, tokens: 0, seconds: 0, gradNorm: 0 },
  history: { train: [], validation: [] },
});

const nothing = async () => {};
const save = (
  folder: string,
  step: number,
  saveModel: (folder: string) => Promise<void> = nothing,
  limit = 3,
) =>
  saveCheckpoint(folder, { config: { seed: 1 }, limit, state: state(step), tensors: new Map(), saveModel });

test('the last three are kept, by step and not by name', async () => {
  const folder = temporaryFolder();
  for (const step of [5, 9, 10, 100]) await save(folder, step);
  expect(readdirSync(folder).sort()).toEqual(['checkpoint-10', 'checkpoint-100', 'checkpoint-9']);
  expect(listCheckpoints(folder).map(({ step }) => step)).toEqual([9, 10, 100]);
  expect(readCheckpoint(join(folder, 'checkpoint-100'))).toEqual({ state: state(100), config: { seed: 1 } });
});

test('as many are kept as were asked for, or all', async () => {
  const steps = async (limit: number) => {
    const folder = temporaryFolder();
    for (const step of [1, 2, 3, 4, 5]) await save(folder, step, undefined, limit);
    return listCheckpoints(folder).map(({ step }) => step);
  };
  expect(await steps(1)).toEqual([5]);
  expect(await steps(4)).toEqual([2, 3, 4, 5]);
  expect(await steps(-1)).toEqual([1, 2, 3, 4, 5]);
});

test('options that are not an object are refused by the name of their file', async () => {
  const folder = temporaryFolder();
  const path = await save(folder, 1);
  writeFileSync(join(path, 'cfg.json'), 'null');
  expect(() => readCheckpoint(path)).toThrow(/checkpoint-1\/cfg\.json: .*must be object, found null/);
});

test('a checkpoint that cannot be written leaves nothing behind', async () => {
  const folder = temporaryFolder();
  const failing = async () => {
    throw new Error('disk full');
  };
  await expect(save(folder, 1, failing)).rejects.toThrow('disk full');
  expect(readdirSync(folder)).toEqual([]);
  const full = async () => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  await expect(save(folder, 1, full)).rejects.toThrow(CheckpointError);
  await expect(save(folder, 1, full)).rejects.toThrow(
    `${join(folder, 'checkpoint-1')}: the checkpoint cannot be written: ENOSPC: no space left on device, write`,
  );
  expect(readdirSync(folder)).toEqual([]);
});

test('weights come back exactly, whether the adapter file holds them or not', async () => {
  const folder = temporaryFolder();
  const values = Float32Array.of(1 / 3, -1e-20, 3);
  const variables = () =>
    new Map(
      ['param.held', 'param.converted', 'exp_avg.held'].map((name) => [name, tf.variable(tf.zeros([3]))]),
    );
  const before = variables();
  for (const variable of before.values()) variable.assign(tf.tensor1d(values));
  const path = await saveCheckpoint(folder, {
    config: {},
    limit: 3,
    state: state(1),
    tensors: kept(before),
    saveModel: async (target) =>
      writeSafetensors(join(target, 'adapter_model.safetensors'), [
        ['held', { shape: [3], values }],
        ['converted', { shape: [6], values: new Float32Array(6) }],
      ]),
  });
  const after = variables();
  restoreTensors(path, kept(after));
  for (const variable of after.values()) expect(variable.dataSync()).toEqual(values);
  const wrong = new Map([['exp_avg.held', tf.variable(tf.zeros([4]))]]);
  expect(() => restoreTensors(path, kept(wrong))).toThrow(
    /expected exp_avg.held of shape \[4\], found \[3\]/,
  );
});

test('leftovers of dead processes are removed, those of living ones and other files stay', () => {
  const folder = temporaryFolder();
  const living = `.checkpoint-3.tmp-${process.ppid}-0a1b2c3d`;
  for (const name of ['.checkpoint-2.tmp-999999999-0a1b2c3d', living, 'notes']) mkdirSync(join(folder, name));
  removeLeftovers(folder);
  expect(readdirSync(folder).sort()).toEqual([living, 'notes']);
});

test('a run that starts over moves the earlier one aside and deletes nothing', async () => {
  const folder = temporaryFolder();
  expect(setAsideEarlierRun(folder)).toBeNull();
  for (const round of [1, 2]) {
    await save(folder, round);
    writeFileSync(join(folder, 'metrics.jsonl'), String(round));
    writeFileSync(join(folder, 'notes.md'), 'mine');
    expect(setAsideEarlierRun(folder)).toBe(join(folder, `previous-${round}`));
  }
  expect(readdirSync(folder).sort()).toEqual(['notes.md', 'previous-1', 'previous-2']);
  expect(existsSync(join(folder, 'previous-1', 'checkpoint-1', 'trainer_state.json'))).toBe(true);
  expect(readFileSync(join(folder, 'previous-2', 'metrics.jsonl'), 'utf8')).toBe('2');
});

test('a continued run drops the points of steps that it takes again', () => {
  const folder = temporaryFolder();
  const point = (step: number) => ({
    step,
    loss: 1,
    kinds: {},
    learningRate: 1,
    gradNorm: 1,
    tokens: 1,
    tokensPerSecond: 1,
  });
  const first = new MetricsLog(folder);
  for (const step of [10, 20, 30]) first.train(point(step));
  first.close();
  writeFileSync(join(folder, 'metrics.jsonl'), '{"step": 4', { flag: 'a' });
  const second = new MetricsLog(folder, 20);
  second.train(point(30));
  second.close();
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line).step)).toEqual([10, 20, 30]);
});

test.each([undefined, Int32Array.of(1, 4, 9)])(
  'an adapter on embeddings comes back exactly, of all tokens and of some: %s',
  async (vocabulary) => {
    const folder = temporaryFolder();
    const cut = vocabulary ? { vocabulary } : {};
    // as high as it is wide: what is transposed in the file has the same shape
    const lora: LoraOptions = {
      ...{ rank: 32, alpha: 4, dropout: 0, useRslora: false, useDora: false, init: 'default' },
      ...{ targetModules: ['embed_tokens', 'lm_head'], modulesToSave: ['norm'] },
    };
    const decoder = await loadDecoder(fixture('llama'), { ...cut, lora, rng: Rng.of(1) });
    const rng = Rng.of(2);
    for (const variable of decoder.trainableVariables().values()) {
      const values = Float32Array.from({ length: variable.size }, () => rng.normal());
      tf.tidy(() => variable.assign(tf.tensor(values, variable.shape)));
    }
    const parameters = (of: Decoder) =>
      new Map(Array.from(of.trainableVariables(), ([name, variable]) => [`param.${name}`, variable]));
    const tensors = parameters(decoder);
    const saveModel = (target: string) => saveAdapter(decoder, target);
    const path = await saveCheckpoint(folder, {
      config: {},
      limit: 3,
      state: state(1),
      tensors: kept(tensors),
      saveModel,
    });
    const again = await loadDecoder(fixture('llama'), { ...cut, adapterPath: path, trainable: 'adapter' });
    const restored = parameters(again);
    for (const variable of restored.values()) tf.tidy(() => variable.assign(tf.zerosLike(variable)));
    restoreTensors(path, kept(restored));
    expect([...restored.keys()]).toEqual([...tensors.keys()]);
    for (const [name, variable] of restored) {
      expect(variable.dataSync(), name).toEqual(tensors.get(name)!.dataSync());
    }
    decoder.dispose();
    again.dispose();
  },
);
