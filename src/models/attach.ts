/**
 * Adapters that come and go on a base that stays in memory.
 *
 *     const adapter = readAdapter(folder, decoder.adapterBase()); // or `await adapterState(trainedDecoder)`
 *     await attachAdapter(decoder, adapter, { merge: 'copy' });        // takes the place of one that is attached
 *     detachAdapter(decoder);                                          // all weights are those of a fresh load again
 *
 * What is computed is the same with every `merge`, but for rounding; it says what is kept and how fast it is:
 *
 * - `copy`: beside each matrix with an adapter lies a second one with the adapter merged into it, `bytesToAttach` of
 *   them all together. As fast as a model without an adapter; detached by forgetting the copies.
 * - `never`: the adapter is multiplied for itself. No memory but its own; a little slower.
 * - `replace`: the matrices are overwritten by merged ones. As fast as a model without an adapter, and no memory at
 *   all; they are read from the model's files again when it is detached. (Embeddings and head that are one matrix
 *   become two.)
 *
 * What an adapter has in the place of the base's weights (`modules_to_save`) lies beside them, or overwrites them with
 * `replace`.
 *
 * On weights that were rounded (`weights: int8`) every adapter is multiplied for itself, whatever `merge` says.
 *
 * Detached is bit for bit: what is kept is not touched, and what was overwritten is read again as it was loaded (so it
 * is with `never` for what is `changed`: a PiSSA adapter as PEFT saves it takes its start out of the base). A KvCache
 * belongs to the weights that filled it, so after either call make a new one. When attaching fails, out of memory
 * for instance, the decoder is detached and the error goes on.
 */
import { type FloatType, floatTypeOf, toFloatType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import { doraOnCutTable } from './adapter.js';
import type { AdapterModule, AdapterState, FloatsOnHost } from './adapter-state.js';
import { allOrNothing } from './all-or-nothing.js';
import type { Decoder } from './decoder.js';
import { AdapterError } from './errors.js';
import type { LoraAdapter } from './lora.js';
import { LoraWeight, variable } from './lora-weight.js';
import type { MatrixPart } from './parts.js';
import { type PrincipalPart, principalPart, withoutPart } from './pissa.js';
import { toHost } from './to-host.js';
import { allRows, ownRows, ownTable, wholeTable } from './vocabulary-rows.js';
import { bytesOf, DenseWeight, MergedWeight, ReplacedWeight, SharedWeight, type Weight } from './weight.js';
import { ModelWeights } from './weights.js';

/** Where the sum of base and adapter is kept while an adapter is attached. */
export type MergeMode = 'copy' | 'never' | 'replace';

/** How an adapter is attached. */
export interface AttachOptions {
  merge: MergeMode;
  /** Training changes it; only with `never`. */
  trainable?: boolean;
}

const bytesPerElement = (type: FloatType): number => (type === 'float32' ? 4 : 2);

/** Bytes that attaching an adapter takes. */
export function bytesToAttach(decoder: Decoder, adapter: AdapterState, { merge }: AttachOptions): number {
  let bytes = 0;
  for (const matrix of decoder.matrices()) {
    const module = adapter.modules.get(matrix.name);
    if (!module) continue;
    const { a, b, magnitude } = ownRows(decoder, matrix, module);
    const isBeside = merge === 'never' || !matrix.weight.takesSums;
    const { shape, floatType } = matrix.weight;
    const own = a.values.length + b.values.length + (magnitude?.values.length ?? 0);
    const copied = merge === 'copy' || (merge === 'replace' && isShared(decoder, matrix));
    if (isBeside) bytes += 4 * own;
    else if (copied) bytes += shape[0] * shape[1] * bytesPerElement(floatType);
  }
  for (const matrix of decoder.matrices()) {
    const { shape, floatType, takesSums } = matrix.weight;
    if (!adapter.saved.has(`${matrix.name}.weight`)) continue;
    if (merge !== 'replace' || !takesSums || isShared(decoder, matrix))
      bytes += shape[0] * shape[1] * bytesPerElement(floatType);
  }
  for (const { name, base } of vectorsOf(decoder)) {
    if (adapter.saved.has(name) && merge !== 'replace') bytes += bytesOf(base);
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
  assertFits(decoder, adapter, trainable);
  detachAdapter(decoder);
  try {
    for (const matrix of decoder.matrices()) {
      const module = adapter.modules.get(matrix.name);
      if (module) await attachTo(matrix, ownRows(decoder, matrix, module), adapter, { merge, trainable });
    }
    replaceSaved(decoder, adapter.saved, { merge, trainable });
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
  for (const matrix of decoder.matrices()) matrix.weight = matrix.weight.unmerged();
  const vectors = vectorsOf(decoder);
  for (const vector of vectors) vector.restore();
  decoder.lora = undefined;
  const changed = decoder.matrices().filter(({ weight }) => weight.changed);
  const changedVectors = vectors.filter((vector) => vector.changed);
  if (changed.length + changedVectors.length === 0) return;
  const files = ModelWeights.again(decoder.source, decoder.config);
  try {
    for (const matrix of changed) {
      const former = matrix.weight;
      matrix.weight = readAgain(decoder, matrix, files);
      former.dispose();
    }
    for (const vector of changedVectors) {
      const floatType = floatTypeOf(vector.base);
      vector.reset(files.tensor(vector.name, { floatType }) as tf.Tensor1D, { changed: false });
    }
  } finally {
    files.close();
  }
}

const vectorsOf = (decoder: Decoder) => decoder.parts().flatMap((part) => part.vectors);

/** Puts what an adapter has in the place of the base's weights there. */
function replaceSaved(
  decoder: Decoder,
  saved: AdapterState['saved'],
  { merge, trainable }: Required<AttachOptions>,
): void {
  const upload = ({ values, shape }: FloatsOnHost, type: FloatType): tf.Tensor =>
    trainable
      ? variable(values, shape, true)
      : tf.tidy(() => toFloatType(tf.tensor(values, shape, 'float32'), type));
  const isBeside = merge !== 'replace';
  for (const matrix of decoder.matrices()) {
    const whole = saved.get(`${matrix.name}.weight`);
    if (!whole) continue;
    const base = matrix.weight;
    const keepBase = isBeside || !base.takesSums;
    const tensor = upload(ownTable(decoder, matrix, whole), base.floatType) as tf.Tensor2D;
    matrix.weight = keepBase ? new ReplacedWeight(tensor, base) : new DenseWeight(tensor, { changed: true });
    if (!keepBase) base.dispose();
  }
  for (const vector of vectorsOf(decoder)) {
    const values = saved.get(vector.name);
    if (values)
      vector.replace(upload(values, floatTypeOf(vector.base)) as tf.Tensor1D, { keepBase: isBeside });
  }
}

/** A matrix of the base as it was loaded. */
function readAgain(decoder: Decoder, matrix: MatrixPart, files: ModelWeights): Weight {
  const { embedTokens, head, cut } = decoder;
  const isTied = decoder.config.tieWordEmbeddings && matrix.use !== 'projection';
  const other = matrix === head ? embedTokens : head;
  if (isTied && other.weight instanceof SharedWeight) return other.weight.share();
  const name = isTied ? embedTokens.name : matrix.name;
  const tensor = files.tensor(`${name}.weight`, { cut, floatType: matrix.weight.floatType });
  const dense = new DenseWeight(tensor as tf.Tensor2D);
  return isTied ? new SharedWeight(dense) : dense;
}

/** Whether another part keeps the base of a matrix when this one no longer needs it. */
function isShared({ embedTokens, head, config }: Decoder, matrix: MatrixPart): boolean {
  return config.tieWordEmbeddings && (matrix === embedTokens || matrix === head);
}

/** The adapter that a decoder has on top, on the host, as it can be attached to another decoder of the same base. */
export async function adapterState(decoder: Decoder): Promise<AdapterState> {
  if (!decoder.lora) throw new AdapterError('the model has no adapter');
  const modules = new Map<string, AdapterModule>();
  for (const matrix of decoder.matrices()) {
    if (!matrix.adapter) continue;
    const { a, b, magnitude, initial, scaling } = matrix.adapter;
    const module = {
      // what PiSSA took out of the base is put back by the second half
      a: await toHost(initial ? () => tf.concat([a, initial.a], 0) : () => a.clone()),
      b: await toHost(initial ? () => tf.concat([b, tf.neg(initial.b)], 1) : () => b.clone()),
      ...(magnitude ? { magnitude: await toHost(() => magnitude.clone()) } : {}),
      scaling,
      ...(initial ? { initialRank: a.shape[0]! } : {}),
    };
    modules.set(matrix.name, allRows(decoder, matrix, module));
  }
  const saved = new Map<string, FloatsOnHost>();
  for (const matrix of decoder.matrices()) {
    const whole = matrix.weight.saved;
    if (!whole) continue;
    const own = await toHost(() => whole.clone());
    saved.set(`${matrix.name}.weight`, wholeTable(decoder, matrix, own));
  }
  for (const { name, saved: own } of vectorsOf(decoder)) {
    if (own) saved.set(name, await toHost(() => own.clone()));
  }
  return { options: decoder.lora, modules, saved, pissaBase: false };
}

/** Replaces the weight of a matrix by one with an adapter. */
async function attachTo(
  matrix: MatrixPart,
  module: AdapterModule,
  state: AdapterState,
  { merge, trainable }: Required<AttachOptions>,
): Promise<void> {
  const base = matrix.weight;
  const { below, adapter } = await startOf(matrix, module, state, trainable);
  const lora = new LoraWeight(matrix, below, adapter);
  if (below !== base && merge === 'copy') {
    try {
      matrix.weight = new MergedWeight(lora.merged({ keepBase: false }), base);
    } catch (error) {
      lora.dispose();
      throw error;
    }
    return;
  }
  if (below !== base) base.dispose();
  matrix.weight = lora;
  if (merge !== 'never' && base.takesSums) matrix.weight = lora.merged({ keepBase: merge === 'copy' });
}

/** The tensors of an adapter and what it lies on: the base, or for PiSSA a base without its principal part. */
async function startOf(
  { weight: base, use }: MatrixPart,
  { a, b, magnitude, scaling, initialRank }: AdapterModule,
  { options: { dropout }, pissaBase }: AdapterState,
  trainable: boolean,
): Promise<{ below: Weight; adapter: LoraAdapter }> {
  const [rank, input] = a.shape as [number, number];
  const [out] = b.shape as [number];
  // as PEFT does: the principal part depends on the base alone, so it is found again
  const hasPrincipal = pissaBase && !initialRank && use !== 'embedding';
  const principal = hasPrincipal ? await principalPart(base, rank, scaling) : undefined;
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
      ...(magnitude ? { magnitude: own(variable(magnitude.values, magnitude.shape, trainable)) } : {}),
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

function assertFits(
  decoder: Decoder,
  { modules, saved, pissaBase, areTablesTied }: AdapterState,
  trainable: boolean,
): void {
  const { targets, savable } = decoder.adapterBase();
  for (const [name, { shape }] of saved) {
    const expected = savable.get(name);
    if (expected?.join() === shape.join()) continue;
    throw new AdapterError(
      `the adapter does not fit the model: ${name} is [${shape}], the model's ${expected ? `[${expected}]` : 'is not there'}`,
    );
  }
  for (const [name, { a, b, magnitude }] of modules) {
    const target = targets.get(name);
    if (!target) throw new AdapterError(`the adapter does not fit the model: there is no projection ${name}`);
    const { use, shape, tiedTo } = target;
    const found = [b.shape[0], a.shape[1]];
    if (found.join() !== shape.join()) {
      throw new AdapterError(
        `the adapter does not fit the model: ${name} is [${shape}], the adapter's is [${found}]`,
      );
    }
    if (magnitude && decoder.cut && use === 'embedding') throw doraOnCutTable(name);
    if (!pissaBase || use !== 'head') continue;
    const other = tiedTo ? `, which is ${tiedTo}, too` : decoder.cut ? ' of all tokens' : undefined;
    if (other) throw unconvertedHead(name, other);
  }
  if (areTablesTied && trainable) {
    throw new AdapterError(
      "the adapter has ensure_weight_tying, which trains one adapter for embeddings and head: that is PEFT's alone; " +
        'merge it, or train without',
    );
  }
}

const unconvertedHead = (name: string, other: string): AdapterError =>
  new AdapterError(
    `the adapter was saved with init_lora_weights "pissa", which changes ${name}${other}: convert it with PEFT, ` +
      'save_pretrained(folder, path_initial_model_for_weight_conversion=initial_folder)',
  );
