/** A fresh adapter, to be trained. */
import type { Rng } from '../common/rng.js';
import * as tf from '../tensors/tf.js';
import { allOrNothing } from './all-or-nothing.js';
import type { Decoder } from './decoder.js';
import { AdapterError } from './errors.js';
import { defaultTargetModules, type LoraAdapter, type LoraOptions, loraScaling } from './lora.js';
import { LoraWeight, variable } from './lora-weight.js';
import { principalPart, withoutPart } from './pissa.js';
import type { Weight } from './weight.js';

/**
 * Checks the options of a fresh adapter against the shapes [out, in] of the projections by name: all that can
 * be wrong is known before a weight is read.
 * @throws {AdapterError} when the options cannot be met
 */
export function assertLoraFits(
  { rank, alpha, dropout, useDora, init, targetModules }: LoraOptions,
  shapes: ReadonlyMap<string, readonly number[]>,
): void {
  if (!Number.isInteger(rank) || rank < 1) {
    throw new AdapterError(`LoRA rank ${rank} found, expected an integer of at least 1`);
  }
  if (!(alpha > 0 && Number.isFinite(alpha))) {
    throw new AdapterError(`LoRA alpha ${alpha} found, expected a number above 0`);
  }
  if (!(dropout >= 0 && dropout < 1)) {
    throw new AdapterError(`LoRA dropout ${dropout} found, expected a number from 0 to below 1`);
  }
  if (!['default', 'gaussian', 'pissa'].includes(init)) {
    throw new AdapterError(`unknown LoRA initialisation "${init}". Known: default, gaussian, pissa`);
  }
  if (init === 'pissa' && useDora) {
    throw new AdapterError(
      'pissa changes the base weights, which DoRA cannot undo when it is saved: use one of the two',
    );
  }
  const targets = matchTargets([...shapes.keys()], targetModules ?? defaultTargetModules);
  for (const [name, shape] of shapes) {
    if (init === 'pissa' && targets.has(name) && rank > Math.min(...shape)) {
      throw new AdapterError(`pissa rank ${rank} is above the rank of ${name} [${shape.join(', ')}]`);
    }
  }
}

/** Makes a fresh trainable adapter. @throws {AdapterError} when the options cannot be met. */
export async function addAdapter(decoder: Decoder, options: LoraOptions, rng: Rng): Promise<void> {
  const { rank, alpha, useRslora, init } = options;
  const shapes = decoder.projectionShapes();
  assertLoraFits(options, shapes);
  const names = options.targetModules ?? defaultTargetModules;
  const targets = matchTargets([...shapes.keys()], names);
  const scaling = loraScaling(alpha, rank, useRslora);
  for (const projection of decoder.projections()) {
    if (!targets.has(projection.name)) continue;
    const stream = rng.fork();
    const { name, weight } = projection;
    if (init === 'pissa') {
      const initial = await principalPart(weight, rank, scaling);
      const { rest, adapter } = allOrNothing((own) => {
        own(initial.a);
        own(initial.b);
        const start = { a: own(tf.variable(initial.a)), b: own(tf.variable(initial.b)) };
        const adapter: LoraAdapter = { ...start, scaling, dropout: options.dropout, initial };
        return { rest: withoutPart(weight, initial, scaling), adapter };
      });
      weight.dispose();
      projection.weight = new LoraWeight(name, rest, adapter);
      continue;
    }
    projection.weight = new LoraWeight(name, weight, plainStart(weight, options, stream));
  }
  decoder.lora = { ...options, targetModules: names };
}

/** A random A and a B of zeros: the adapter changes nothing at first. */
function plainStart(weight: Weight, options: LoraOptions, rng: Rng): LoraAdapter {
  const { rank, alpha, useRslora, useDora, init, dropout } = options;
  const [out, input] = weight.shape;
  // nn.Linear's own initialisation (Kaiming with a = √5) is uniform within 1 / √in
  const draw =
    init === 'gaussian' ? () => rng.normal(0, 1 / rank) : () => (2 * rng.uniform() - 1) / Math.sqrt(input);
  return allOrNothing((own) => {
    const adapter: LoraAdapter = {
      a: own(variable(Float32Array.from({ length: rank * input }, draw), [rank, input], true)),
      b: own(variable(new Float32Array(out * rank), [out, rank], true)),
      scaling: loraScaling(alpha, rank, useRslora),
      dropout,
    };
    if (!useDora) return adapter;
    // B is zero, so the magnitudes start as the norms of the base's own rows
    const norms = tf.tidy(() => tf.sqrt(tf.sum(tf.square(weight.dense()), 1)));
    const magnitude = own(tf.variable(norms));
    norms.dispose();
    return { ...adapter, magnitude };
  });
}

/** The projections that target names mean: the last part of a projection's name, or all of it. */
function matchTargets(projections: readonly string[], targets: readonly string[]): Set<string> {
  const matches = (name: string, target: string) => name === target || name.endsWith(`.${target}`);
  if (targets.includes('all-linear')) return new Set(projections);
  for (const target of targets) {
    if (!projections.some((name) => matches(name, target))) {
      const known = [...new Set(projections.map((name) => name.split('.').at(-1)))];
      throw new AdapterError(`unknown target module "${target}". Known: ${known.join(', ')}, all-linear`);
    }
  }
  return new Set(projections.filter((name) => targets.some((target) => matches(name, target))));
}
