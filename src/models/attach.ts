/**
 * Adapters that come and go on a base that stays in memory.
 *
 *     const adapter = readAdapter(folder, decoder.projectionShapes()); // or `await adapterState(trainedDecoder)`
 *     await attachAdapter(decoder, adapter, { merge: 'copy' });        // takes the place of one that is attached
 *     detachAdapter(decoder);                                          // all weights are those of a fresh load again
 *
 * What is computed is the same with every `merge`, but for rounding; it says what is kept and how fast it is:
 *
 * - `copy`: beside each matrix with an adapter lies a second one with the adapter merged into it, `bytesToAttach` of
 *   them all together. As fast as a model without an adapter; detached by forgetting the copies.
 * - `never`: the adapter is multiplied for itself. No memory but its own; a little slower.
 * - `replace`: the matrices are overwritten by merged ones. As fast as a model without an adapter, and no memory at
 *   all; they are read from the model's files again when it is detached.
 *
 * Detached is bit for bit: what is kept is not touched, and what was overwritten is read again as it was loaded (so it
 * is with `never` for what is `changed`: a PiSSA adapter as PEFT saves it takes its start out of the base). A KvCache
 * belongs to the weights that filled it, so after either call make a new one. When attaching fails, out of memory
 * for instance, the decoder is detached and the error goes on.
 */
import * as tf from '../tensors/tf.js';
import type { AdapterModule, AdapterState } from './adapter-state.js';
import { allOrNothing } from './all-or-nothing.js';
import type { Decoder } from './decoder.js';
import { AdapterError } from './errors.js';
import type { LoraAdapter } from './lora.js';
import { LoraWeight, variable } from './lora-weight.js';
import type { Projection } from './parts.js';
import { type PrincipalPart, principalPart, withoutPart } from './pissa.js';
import { toHost } from './to-host.js';
import { DenseWeight, MergedWeight, type Weight } from './weight.js';
import { ModelWeights } from './weights.js';

/** Where the sum of base and adapter is kept while an adapter is attached. */
export type MergeMode = 'copy' | 'never' | 'replace';

/** How an adapter is attached. */
export interface AttachOptions {
  merge: MergeMode;
  /** Training changes it; only with `never`. */
  trainable?: boolean;
}

/** Bytes that attaching an adapter takes. */
export function bytesToAttach(decoder: Decoder, adapter: AdapterState, { merge }: AttachOptions): number {
  let bytes = 0;
  for (const { name, weight } of decoder.projections()) {
    const module = adapter.modules.get(name);
    if (!module) continue;
    const { a, b, magnitude } = module;
    const [out, input] = weight.shape;
    const own = a.values.length + b.values.length + (magnitude?.values.length ?? 0);
    if (merge === 'never') bytes += 4 * own;
    else if (merge === 'copy') bytes += out * input * (weight.floatType === 'float32' ? 4 : 2);
  }
  return bytes;
}

/**
 * Gives a decoder an adapter, in the place of the one that it has.
 * @throws {AdapterError} naming the first part that the decoder has no place for
 */
export async function attachAdapter(
  decoder: Decoder,
  adapter: AdapterState,
  options: AttachOptions,
): Promise<void> {
  const { merge, trainable = false } = options;
  if (trainable && merge !== 'never') throw new AdapterError('an adapter that is trained cannot be merged');
  assertFits(decoder, adapter);
  detachAdapter(decoder);
  try {
    for (const projection of decoder.projections()) {
      const module = adapter.modules.get(projection.name);
      if (module) await attachTo(projection, module, adapter, { merge, trainable });
    }
  } catch (error) {
    detachAdapter(decoder);
    throw error;
  }
  decoder.lora = adapter.options;
}

/**
 * Takes the adapter off a decoder, merged or not; without one nothing changes.
 * @throws {UserError} when weights have to be read again and the model's files are gone
 */
export function detachAdapter(decoder: Decoder): void {
  for (const projection of decoder.projections()) projection.weight = projection.weight.unmerged();
  decoder.lora = undefined;
  const changed = decoder.projections().filter(({ weight }) => weight.changed);
  if (changed.length === 0) return;
  const files = new ModelWeights(decoder.source, decoder.config);
  try {
    for (const projection of changed) {
      const { name, weight } = projection;
      const tensor = files.tensor(`${name}.weight`, { floatType: weight.floatType }) as tf.Tensor2D;
      weight.dispose();
      projection.weight = new DenseWeight(tensor);
    }
  } finally {
    files.close();
  }
}

/** The adapter that a decoder has on top, on the host, as it can be attached to another decoder of the same base. */
export async function adapterState(decoder: Decoder): Promise<AdapterState> {
  if (!decoder.lora) throw new AdapterError('the model has no adapter');
  const modules = new Map<string, AdapterModule>();
  for (const { name, adapter } of decoder.projections()) {
    if (!adapter) continue;
    const { a, b, magnitude, initial, scaling } = adapter;
    modules.set(name, {
      // what PiSSA took out of the base is put back by the second half
      a: await toHost(initial ? () => tf.concat([a, initial.a], 0) : () => a.clone()),
      b: await toHost(initial ? () => tf.concat([b, tf.neg(initial.b)], 1) : () => b.clone()),
      ...(magnitude ? { magnitude: await toHost(() => magnitude.clone()) } : {}),
      scaling,
      ...(initial ? { initialRank: a.shape[0]! } : {}),
    });
  }
  return { options: decoder.lora, modules, pissaBase: false };
}

/** Replaces the weight of a projection by one with an adapter. */
async function attachTo(
  projection: Projection,
  module: AdapterModule,
  state: AdapterState,
  { merge, trainable }: Required<AttachOptions>,
): Promise<void> {
  const base = projection.weight;
  const { below, adapter } = await startOf(base, module, state, trainable);
  const lora = new LoraWeight(projection.name, below, adapter);
  if (below !== base && merge === 'copy') {
    try {
      projection.weight = new MergedWeight(lora.merged({ keepBase: false }), base);
    } catch (error) {
      lora.dispose();
      throw error;
    }
    return;
  }
  if (below !== base) base.dispose();
  projection.weight = lora;
  if (merge !== 'never') projection.weight = lora.merged({ keepBase: merge === 'copy' });
}

/** The tensors of an adapter and what it lies on: the base, or for PiSSA a base without its principal part. */
async function startOf(
  base: Weight,
  { a, b, magnitude, scaling, initialRank }: AdapterModule,
  { options: { dropout }, pissaBase }: AdapterState,
  trainable: boolean,
): Promise<{ below: Weight; adapter: LoraAdapter }> {
  const [rank, input] = a.shape as [number, number];
  const [out] = b.shape as [number];
  // as PEFT does: the principal part depends on the base alone, so it is found again
  const principal = pissaBase && !initialRank ? await principalPart(base, rank, scaling) : undefined;
  return allOrNothing((own) => {
    if (principal) for (const part of [principal.a, principal.b]) own(part);
    const withInitial = (adapter: LoraAdapter, initial: PrincipalPart) => ({
      below: withoutPart(base, initial, scaling),
      adapter: { ...adapter, initial },
    });
    if (initialRank && trainable) {
      // a saved PiSSA adapter holds [A; A₀] and [B, −B₀]: take A₀ and B₀ out of the base again, train A and B
      const [firstA, initialA] = halves(tf.tensor2d(a.values, [rank, input]), 0, own);
      const [firstB, negatedB] = halves(tf.tensor2d(b.values, [out, rank]), 1, own);
      const adapter = { a: own(tf.variable(firstA)), b: own(tf.variable(firstB)), scaling, dropout };
      const initial = { a: initialA, b: own(tf.neg(negatedB)) };
      tf.dispose([firstA, firstB, negatedB]);
      return withInitial(adapter, initial);
    }
    const adapter: LoraAdapter = {
      a: own(variable(a.values, [rank, input], trainable)),
      b: own(variable(b.values, [out, rank], trainable)),
      scaling,
      dropout,
      ...(magnitude ? { magnitude: own(variable(magnitude.values, [out], trainable)) } : {}),
    };
    return principal ? withInitial(adapter, principal) : { below: base, adapter };
  });
}

/** Both halves of a matrix along an axis, instead of it. */
function halves(
  whole: tf.Tensor2D,
  axis: number,
  own: (half: tf.Tensor2D) => tf.Tensor2D,
): [tf.Tensor2D, tf.Tensor2D] {
  own(whole);
  const [first, second] = tf.tidy(() => tf.split(whole, 2, axis)) as [tf.Tensor2D, tf.Tensor2D];
  whole.dispose();
  return [own(first), own(second)];
}

function assertFits(decoder: Decoder, { modules }: AdapterState): void {
  const shapes = decoder.projectionShapes();
  for (const [name, { a, b }] of modules) {
    const shape = shapes.get(name);
    if (!shape) throw new AdapterError(`the adapter does not fit the model: there is no projection ${name}`);
    const found = [b.shape[0], a.shape[1]];
    if (found.join() === shape.join()) continue;
    throw new AdapterError(
      `the adapter does not fit the model: ${name} is [${shape}], the adapter's is [${found}]`,
    );
  }
}
