import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Decoder } from '../../src/models/decoder.js';
import { type PackedTokens, packSequences } from '../../src/models/packed-tokens.js';
import { type HostTensor, readSafetensors } from '../../src/models/safetensors.js';
import { initBackend } from '../../src/tensors/backend.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import * as tf from '../../src/tensors/tf.js';

/** A fixture's path, made by make_fixtures.py. */
export function fixture(...path: string[]): string {
  return join(fileURLToPath(new URL('./fixtures', import.meta.url)), ...path);
}

/** Every family that there is a fixture of. */
export const families: readonly string[] = readdirSync(fixture()).filter((name) =>
  existsSync(fixture(name, 'config.json')),
);

/** What went into the fixtures. */
export const meta = JSON.parse(readFileSync(fixture('meta.json'), 'utf8')) as {
  sequences: number[][];
  answer_starts: number[];
  adamw: { lr: number; beta1: number; beta2: number; epsilon: number; weightDecay: number };
};

/** The fixtures' sequences, packed. */
export const packed: PackedTokens = packSequences(meta.sequences);

/** Rows of the packed hidden states that predict a token of an answer, and those tokens. */
export const answers = (() => {
  const rows: number[] = [];
  const labels: number[] = [];
  meta.sequences.forEach((sequence, s) => {
    for (let i = meta.answer_starts[s]! - 1; i + 1 < sequence.length; i++) {
      rows.push(packed.segments[s]! + i);
      labels.push(sequence[i + 1]!);
    }
  });
  return { rows: Int32Array.from(rows), labels: Int32Array.from(labels) };
})();

/** Log-probabilities of the answers' tokens. */
export function answerLogProbs(decoder: Decoder): tf.Tensor1D {
  return tf.tidy(() => {
    const hidden = decoder.forward(packed, { training: true });
    return decoder.labelLogProbs(tf.gather(hidden, tf.tensor1d(answers.rows, 'int32')), answers.labels);
  });
}

/** The mean loss over the answers' tokens, and its gradients by name, found with a factor on the loss. */
export async function lossAndGradients(
  decoder: Decoder,
  lossScale = 1,
): Promise<{ loss: number; gradients: Map<string, tf.Tensor> }> {
  const variables = decoder.trainableVariables();
  const { value, grads } = variableGrads(
    () => tf.mul(tf.mean(answerLogProbs(decoder)), -lossScale) as tf.Scalar,
    [...variables.values()],
  );
  const loss = (await value.data())[0]! / lossScale;
  value.dispose();
  const unscaled = (gradient: tf.Tensor): tf.Tensor => {
    const result = tf.mul(gradient, 1 / lossScale);
    gradient.dispose();
    return result;
  };
  return { loss, gradients: new Map(Array.from(variables, ([name, v]) => [name, unscaled(grads[v.name]!)])) };
}

/** A variable or its gradient as PEFT has it: an adapter of embeddings is kept as its transposes. */
export function asInFiles(name: string, tensor: tf.Tensor): tf.Tensor {
  return tf.tidy(() => (name.includes('lora_embedding') ? tf.transpose(tensor) : tensor.clone()));
}

export type Values = ArrayLike<number>;

/** The largest absolute value. */
export function largestOf(values: Values): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return largest;
}

/**
 * The largest difference, relative to the largest expected value.
 * @param least what differences are relative to at least: where values are 0 by symmetry, as the gradients of keys'
 * biases without rotary positions, only the rounding is left
 */
export function relativeError(actual: tf.Tensor | Values, expected: HostTensor | Values, least = 0): number {
  const a = actual instanceof tf.Tensor ? actual.dataSync() : actual;
  const e: Values = 'shape' in expected ? expected.values : expected;
  if (a.length !== e.length) throw new Error(`${a.length} values, expected ${e.length}`);
  let largest = least;
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(e[i]!));
    difference = Math.max(difference, Math.abs(a[i]! - e[i]!));
    if (Number.isNaN(a[i]!)) return Number.NaN;
  }
  return difference / (largest || 1);
}

/** {@link relativeError} of a tensor that is waited for. */
export async function errorOf(actual: tf.Tensor, expected: HostTensor | Values, least = 0): Promise<number> {
  return relativeError(await actual.data(), expected, least);
}

/** The expected tensors of a fixture folder. */
export function expectedOf(...path: string[]): Map<string, HostTensor> {
  return readSafetensors(fixture(...path, 'expected.safetensors'));
}

export async function useBackend(name: string): Promise<void> {
  await initBackend(name);
}
