import { Rng } from '../common/rng.js';
import { floatTypeOf, toFloatType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import type { AdapterFile } from './adapter-files.js';
import type { Decoder } from './decoder.js';
import { AdapterError } from './errors.js';
import {
  defaultTargetModules,
  type LoraAdapter,
  type LoraOptions,
  loraScaling,
  type Projection,
} from './lora.js';
import { principalFactors } from './svd.js';

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
export function addAdapter(decoder: Decoder, options: LoraOptions, rng: Rng): void {
  const { rank, alpha, useRslora, useDora, init } = options;
  const projections = decoder.projections();
  assertLoraFits(options, new Map(projections.map(({ name, weight }) => [name, weight.shape])));
  const names = options.targetModules ?? defaultTargetModules;
  const targets = matchTargets(
    projections.map(({ name }) => name),
    names,
  );
  const scaling = loraScaling(alpha, rank, useRslora);
  for (const projection of projections) {
    if (!targets.has(projection.name)) continue;
    const stream = rng.fork();
    const [out, input] = projection.weight.shape;
    if (init === 'pissa') {
      const initial = principalPart(projection, rank, scaling, stream);
      subtractInitial(projection, initial, scaling);
      projection.adapter = {
        a: tf.variable(initial.a),
        b: tf.variable(initial.b),
        scaling,
        dropout: options.dropout,
        initial,
      };
      continue;
    }
    // nn.Linear's own initialisation (Kaiming with a = √5) is uniform within 1 / √in
    const draw =
      init === 'gaussian'
        ? () => stream.normal(0, 1 / rank)
        : () => (2 * stream.uniform() - 1) / Math.sqrt(input);
    projection.adapter = {
      a: variable(Float32Array.from({ length: rank * input }, draw), [rank, input], true),
      b: variable(new Float32Array(out * rank), [out, rank], true),
      scaling,
      dropout: options.dropout,
    };
    // B is zero, so the magnitudes start as the norms of the base's own rows
    if (useDora) {
      const norms = tf.tidy(() => tf.sqrt(tf.sum(tf.square(toFloatType(projection.weight, 'float32')), 1)));
      projection.adapter.magnitude = tf.variable(norms);
      norms.dispose();
    }
  }
  decoder.lora = { ...options, targetModules: names };
}

/** Gives a decoder the adapter that was read from files, trainable or not. */
export function installAdapter(decoder: Decoder, file: AdapterFile, trainable: boolean): void {
  for (const projection of decoder.projections()) {
    const module = file.modules.get(projection.name);
    if (!module) continue;
    const { scaling, initialRank } = module;
    const [rank, input] = module.a.shape as [number, number];
    const [out] = module.b.shape as [number];
    if (initialRank && trainable) {
      // a saved PiSSA adapter holds [A; A₀] and [B, −B₀]: take A₀ and B₀ out of the base again, train A and B
      const [a, initialA] = tf.tidy(() => tf.split(tf.tensor2d(module.a.values, [rank, input]), 2, 0));
      const [b, initialB] = tf.tidy(() => {
        const [trained, negated] = tf.split(tf.tensor2d(module.b.values, [out, rank]), 2, 1);
        return [trained!, tf.neg(negated!)];
      });
      const initial = { a: initialA as tf.Tensor2D, b: initialB as tf.Tensor2D };
      subtractInitial(projection, initial, scaling);
      projection.adapter = {
        a: tf.variable(a!),
        b: tf.variable(b!),
        scaling,
        dropout: file.options.dropout,
        initial,
      };
      tf.dispose([a!, b!]);
      continue;
    }
    let initial: LoraAdapter['initial'];
    if (file.pissaBase) {
      // as PEFT does: the principal part depends on the base alone, so it is found again
      initial = principalPart(projection, rank, scaling, Rng.of(0, 'pissa', projection.name));
      subtractInitial(projection, initial, scaling);
    }
    projection.adapter = {
      a: variable(module.a.values, [rank, input], trainable),
      b: variable(module.b.values, [out, rank], trainable),
      scaling,
      dropout: file.options.dropout,
      ...(initial ? { initial } : {}),
      ...(module.magnitude ? { magnitude: variable(module.magnitude.values, [out], trainable) } : {}),
    };
  }
  decoder.lora = file.options;
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

/** What PiSSA takes out of a base weight: a [rank, in] and b [out, rank] with s · b · a its best approximation. */
function principalPart(
  projection: Projection,
  rank: number,
  scaling: number,
  rng: Rng,
): { a: tf.Tensor2D; b: tf.Tensor2D } {
  const [out, input] = projection.weight.shape;
  const values = projection.weight.dataSync<'float32'>();
  const { a, b } = principalFactors(values, out, input, rank, scaling, rng);
  return { a: tf.tensor2d(a, [rank, input]), b: tf.tensor2d(b, [out, rank]) };
}

/** W ← W − s · B₀ · A₀, so that base and adapter together start as the base was. */
function subtractInitial(
  projection: Projection,
  { a, b }: { a: tf.Tensor2D; b: tf.Tensor2D },
  scaling: number,
): void {
  const { weight } = projection;
  const rest = tf.tidy(() => {
    const difference = tf.sub(toFloatType(weight, 'float32'), tf.mul(tf.matMul(b, a), scaling));
    return toFloatType(difference as tf.Tensor2D, floatTypeOf(weight));
  });
  weight.dispose();
  projection.weight = rest;
}

function variable(values: Float32Array, shape: number[], trainable: boolean): tf.Variable {
  const tensor = tf.tensor(values, shape, 'float32');
  const result = tf.variable(tensor, trainable);
  tensor.dispose();
  return result;
}
