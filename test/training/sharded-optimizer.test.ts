/** An optimizer whose state is split over ranks changes the weights as one process does, and so do its checkpoints. */
import { expect, test } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { initBackend } from '../../src/tensors/backend.js';
import type { Collective } from '../../src/tensors/collective/collective.js';
import { HostSums } from '../../src/tensors/collective/tensor-sums.js';
import * as tf from '../../src/tensors/tf.js';
import { Muon } from '../../src/training/muon.js';
import { AdamW, type Method, type Optimizer } from '../../src/training/optimizer.js';
import { ShardedOptimizer, shardLoad } from '../../src/training/sharded-optimizer.js';
import { collectivesOf } from '../tensors/collective/in-process.js';

const SHAPES: Readonly<Record<string, number[]>> = {
  'model.embed_tokens.weight': [12, 6],
  'model.layers.0.self_attn.q_proj.weight': [8, 6],
  'model.layers.0.self_attn.q_proj.bias': [8],
  'model.layers.0.mlp.up_proj.weight': [10, 6],
  'model.layers.1.mlp.up_proj.weight': [6, 10],
  'model.norm.weight': [6],
};
const RANKS = 2;
const settings = { weightDecay: 0.1 };

const random = (name: string, shape: number[]) => {
  const rng = Rng.of(1, name);
  return tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => rng.normal(0, 1)),
    shape,
  );
};

const freshVariables = () =>
  new Map(Object.entries(SHAPES).map(([name, shape]) => [name, tf.variable(random(name, shape))]));

/** The same gradient for everybody: it has been summed. The bias has none. */
const gradientsOf = (variables: ReadonlyMap<string, tf.Variable>, step: number) =>
  Object.fromEntries(
    [...variables]
      .filter(([name]) => !name.endsWith('bias'))
      .map(([name, variable]) => [variable.name, random(`${name} ${step}`, variable.shape)]),
  );

const valuesOf = async (optimizer: Optimizer) => {
  const values: Record<string, number[]> = {};
  for (const [name, tensor] of optimizer.tensors()) values[name] = [...(await tensor.read())];
  return values;
};

function rank(method: Method, collective: Collective) {
  const variables = freshVariables();
  const team = { collective, sums: new HostSums(collective) };
  const optimizer = new ShardedOptimizer(method, variables, settings, team);
  const steps = async (from: number, to: number) => {
    for (let step = from; step <= to; step++) {
      await optimizer.update(gradientsOf(variables, step), step, 0.01);
    }
  };
  return { optimizer, steps };
}

test.each([
  ['AdamW', AdamW as Method],
  ['Muon', Muon as Method],
])('%s over two ranks: weights, state, and what is read from a checkpoint', async (_, method) => {
  await initBackend('wasm');
  const variables = freshVariables();
  const alone = new method(variables, settings);
  const states: Record<string, number[]>[] = [];
  for (let step = 1; step <= 3; step++) {
    await alone.update(gradientsOf(variables, step), step, 0.01);
    states.push(structuredClone(await valuesOf(alone)));
  }
  const ranks = collectivesOf(RANKS).map((collective) => rank(method, collective));
  const [first] = ranks;
  const all = (run: (one: (typeof ranks)[number]) => Promise<unknown>) => Promise.all(ranks.map(run));
  await all(({ steps }) => steps(1, 3));
  await all(({ optimizer }) => optimizer.gather());
  const found = await valuesOf(first!.optimizer);
  expect(Object.keys(found).sort()).toEqual(Object.keys(states[2]!).sort());
  const near = (values: typeof found, expected: typeof found) => {
    for (const [name, numbers] of Object.entries(values)) {
      for (const [i, value] of numbers.entries()) expect(value, name).toBeCloseTo(expected[name]![i]!, 5);
    }
  };
  near(found, states[2]!);
  // both ranks have the same weights to the bit
  const [mine, others] = await all(({ optimizer }) => weightsOf(optimizer));
  expect(others).toEqual(mine);
  // from the state after the first step on
  for (const [name, tensor] of first!.optimizer.tensors()) tensor.write(Float32Array.from(states[0]![name]!));
  for (const [name, tensor] of ranks[1]!.optimizer.tensors()) {
    if (name.startsWith('param.')) tensor.write(Float32Array.from(states[0]![name]!));
  }
  await all(({ optimizer }) => optimizer.scatter());
  await all(({ steps }) => steps(2, 3));
  await all(({ optimizer }) => optimizer.gather());
  near(await valuesOf(first!.optimizer), states[2]!);
  // no rank keeps everything
  const { most, total } = shardLoad(method, variables, RANKS);
  expect(most).toBeLessThan(0.7 * total);
});

/** Weights alone: those every rank has. */
async function weightsOf(optimizer: Optimizer) {
  const values: Record<string, number[]> = {};
  for (const [name, tensor] of optimizer.tensors()) {
    if (name.startsWith('param.')) values[name] = [...(await tensor.read())];
  }
  return values;
}
