/** A fresh adapter, to be trained. */
import type { Rng } from '../common/rng.js';
import * as tf from '../tensors/tf.js';
import type { AdapterTargets } from './adapter-names.js';
import { allOrNothing } from './all-or-nothing.js';
import type { Decoder } from './decoder.js';
import { AdapterError } from './errors.js';
import { defaultTargetModules, fusedParts, type LoraAdapter, type LoraOptions, loraScaling } from './lora.js';
import { LoraWeight, variable } from './lora-weight.js';
import type { MatrixPart } from './parts.js';
import { principalPart, withoutPart } from './pissa.js';

/**
 * Checks the options of a fresh adapter against what it may lie on: all that can be wrong is known before a weight is
 * read.
 * @param isCut whether embeddings and head have rows for some tokens only
 * @throws {AdapterError} when the options cannot be met
 */
export function assertLoraFits(
  { rank, alpha, dropout, useDora, init, targetModules }: LoraOptions,
  matrices: AdapterTargets,
  isCut: boolean,
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
  for (const name of matchTargets(matrices, targetModules ?? defaultTargetModules)) {
    const { use, shape } = matrices.get(name)!;
    if (init === 'pissa' && use !== 'embedding' && rank > Math.min(...shape)) {
      throw new AdapterError(`pissa rank ${rank} is above the rank of ${name} [${shape.join(', ')}]`);
    }
    if (useDora && isCut && use === 'embedding') throw doraOnCutTable(name);
  }
}

/** DoRA's norms of a table are over all of its rows. */
export const doraOnCutTable = (name: string): AdapterError =>
  new AdapterError(
    `DoRA on ${name} needs the rows of all tokens: leave out \`pruneVocab\`, DoRA, or ${name} as a target`,
  );

/** Makes a fresh trainable adapter. @throws {AdapterError} when the options cannot be met. */
export async function addAdapter(decoder: Decoder, options: LoraOptions, rng: Rng): Promise<void> {
  const { rank, alpha, useRslora, init } = options;
  const targets = decoder.adapterTargets();
  assertLoraFits(options, targets, decoder.cut !== undefined);
  const names = withFused([...targets.keys()], options.targetModules ?? defaultTargetModules);
  const targeted = matchTargets(targets, names);
  const scaling = loraScaling(alpha, rank, useRslora);
  for (const matrix of decoder.matrices()) {
    if (!targeted.has(matrix.name)) continue;
    const stream = rng.fork();
    const { use, weight } = matrix;
    if (init === 'pissa' && use !== 'embedding') {
      const initial = await principalPart(weight, rank, scaling);
      const { rest, adapter } = allOrNothing((own) => {
        own(initial.a);
        own(initial.b);
        const start = { a: own(tf.variable(initial.a)), b: own(tf.variable(initial.b)) };
        const adapter: LoraAdapter = { ...start, scaling, dropout: options.dropout, initial };
        return { rest: withoutPart(weight, initial, scaling), adapter };
      });
      weight.dispose();
      matrix.weight = new LoraWeight(matrix, rest, adapter);
      continue;
    }
    matrix.weight = new LoraWeight(matrix, weight, plainStart(matrix, options, stream));
  }
  decoder.lora = { ...options, targetModules: names };
}

/** A random A and a B of zeros: the adapter changes nothing at first. */
function plainStart({ weight, use }: MatrixPart, options: LoraOptions, rng: Rng): LoraAdapter {
  const { rank, alpha, useRslora, useDora, init, dropout } = options;
  const [out, input] = weight.shape;
  // nn.Embedding's own initialisation is normal, nn.Linear's (Kaiming with a = √5) uniform within 1 / √in
  const draw =
    use === 'embedding'
      ? () => rng.normal()
      : init === 'gaussian'
        ? () => rng.normal(0, 1 / rank)
        : () => (2 * rng.uniform() - 1) / Math.sqrt(input);
  return allOrNothing((own) => {
    const adapter: LoraAdapter = {
      a: own(variable(Float32Array.from({ length: rank * input }, draw), [rank, input], true)),
      b: own(variable(new Float32Array(out * rank), [out, rank], true)),
      scaling: loraScaling(alpha, rank, useRslora),
      dropout,
    };
    if (!useDora) return adapter;
    // B is zero, so the magnitudes start as the norms of the base's own rows or columns
    const axis = use === 'embedding' ? 0 : 1;
    const norms = tf.tidy(() => tf.sqrt(tf.sum(tf.square(weight.dense()), axis)));
    const magnitude = own(tf.variable(norms));
    norms.dispose();
    return { ...adapter, magnitude };
  });
}

const isNamed = (name: string, target: string): boolean => name === target || name.endsWith(`.${target}`);

/** Target names with that of a fused projection in the place of all its parts, where a model has it fused. */
function withFused(names: readonly string[], targets: readonly string[]): string[] {
  let all = [...targets];
  for (const [fused, parts] of Object.entries(fusedParts)) {
    const isFused = names.some((name) => isNamed(name, fused));
    if (!isFused || !parts.every((part) => all.includes(part))) continue;
    all = [...new Set(all.map((name) => (parts.includes(name) ? fused : name)))];
  }
  return all;
}

/**
 * The matrices that target names mean: the last part of a name, all of it, or `all-linear` for the projections of all
 * blocks.
 */
function matchTargets(matrices: AdapterTargets, given: readonly string[]): Set<string> {
  const names = [...matrices.keys()];
  const targets = withFused(names, given);
  const matches = (name: string, target: string) =>
    target === 'all-linear' ? matrices.get(name)!.use === 'projection' : isNamed(name, target);
  for (const target of targets) {
    if (names.some((name) => matches(name, target))) continue;
    const known = [...new Set(names.map((name) => name.split('.').at(-1)))];
    throw new AdapterError(`unknown target module "${target}". Known: ${known.join(', ')}, all-linear`);
  }
  return new Set(names.filter((name) => targets.some((target) => matches(name, target))));
}
