/**
 * Loss, logits and LoRA gradients of a small model on the device, against the same in float32 on the processor by
 * plain PyTorch; what plain PyTorch itself gives on the device in the same type says how much the type costs.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Rng } from '../../src/common/rng.js';
import { addAdapter } from '../../src/models/adapter.js';
import { Decoder } from '../../src/models/decoder.js';
import { packSequences } from '../../src/models/packed-tokens.js';
import { toFloatType } from '../../src/tensors/float-type.js';
import { variableGrads } from '../../src/tensors/gradients.js';
import type { FloatType } from '../../src/tensors/precision.js';
import * as tf from '../../src/tensors/tf.js';
import { askReference } from './ask.js';
import { settingsFor } from './settings.js';

const LORA = { rank: 8, alpha: 16, dropout: 0, useRslora: false, useDora: false, init: 'gaussian' as const };
/** How much larger our error may be than that of plain PyTorch in the same type. */
const FACTOR = 2;

/** Hugging Face's name as the reference has it. */
const plainName = (name: string): string =>
  name
    .replace(/^base_model\.model\./, '')
    .replace(/^model\./, '')
    .replace('.lora_A.weight', '.lora_a')
    .replace('.lora_B.weight', '.lora_b');

export async function parity(folder: string, device: string, type: FloatType): Promise<string[]> {
  const { config } = settingsFor('cpu', type);
  const rng = Rng.of(3, 'parity');
  const values = new Map<string, { shape: number[]; data: Float32Array }>();
  const decoder = new Decoder(
    config,
    (name, shape) => {
      const scale = name.includes('norm') ? 0.1 : 1 / Math.sqrt(shape.at(-1)!);
      const data = Float32Array.from(
        { length: tf.util.sizeFromShape(shape) },
        () => rng.normal(0, scale) + (name.includes('norm') ? 1 : 0),
      );
      values.set(name, { shape, data });
      return tf.tidy(() => toFloatType(tf.tensor(data, shape), type));
    },
    { floatType: type },
  );
  await addAdapter(decoder, LORA, rng);
  const variables = decoder.trainableVariables();
  for (const [name, variable] of variables) {
    // away from the start, where B is zero and so are half of the gradients
    tf.tidy(() =>
      variable.assign(
        tf.tensor(
          Float32Array.from({ length: variable.size }, () => rng.normal(0, 0.05)),
          variable.shape,
        ),
      ),
    );
    values.set(name, { shape: variable.shape, data: Float32Array.from(variable.dataSync()) });
  }
  const samples = [40, 7, 93].map((length) => ({
    tokens: Array.from({ length }, () => rng.int(0, config.vocabSize - 1)),
    start: Math.max(1, length - 12),
  }));
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'meta.json'),
    JSON.stringify({
      config,
      ...LORA,
      weights: Array.from(values, ([name, { shape }]) => [plainName(name), shape]),
      gradients: Array.from(variables.keys(), plainName),
      samples: samples.map(({ tokens, start }) => [tokens, start]),
    }),
  );
  writeFileSync(
    join(folder, 'weights.bin'),
    Buffer.concat(Array.from(values.values(), ({ data }) => Buffer.from(data.buffer))),
  );

  const ours = compute(decoder, variables, samples);
  decoder.dispose();
  const ask = (where: string, dtype: string): Float32Array => {
    askReference('parity', folder, where, dtype);
    const bytes = readFileSync(join(folder, 'answer.bin'));
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4).slice();
  };
  const truth = ask('cpu', 'float32');
  const theirs = ask(device, type);
  const logits = samples.reduce((sum, { tokens }) => sum + tokens.length * config.vocabSize, 0);
  const failed: string[] = [];
  for (const [name, from, to] of [
    ['logits', 0, logits],
    ['LoRA gradients', logits, truth.length],
  ] as const) {
    const error = (x: Float32Array) => distance(x.subarray(from, to), truth.subarray(from, to));
    const [own, reference] = [error(ours), error(theirs)];
    console.log(
      `  ${name.padEnd(18)}our error ${own.toExponential(2)}, plain PyTorch in ${type} ${reference.toExponential(2)}`,
    );
    if (!(own < Math.max(FACTOR * reference, 1e-5)))
      failed.push(`${name} in ${type}: ${own}, PyTorch ${reference}`);
  }
  return failed;
}

/** Logits of all tokens, then the gradients of the mean loss over the answers. */
function compute(
  decoder: Decoder,
  variables: ReadonlyMap<string, tf.Variable>,
  samples: readonly { tokens: number[]; start: number }[],
): Float32Array {
  const packed = packSequences(samples.map(({ tokens }) => tokens));
  const rows: number[] = [];
  const labels: number[] = [];
  for (const [s, { tokens, start }] of samples.entries()) {
    for (let i = start; i < tokens.length; i++) {
      rows.push(packed.segments[s]! + i - 1);
      labels.push(tokens[i]!);
    }
  }
  const logits = tf.tidy(() => Float32Array.from(decoder.logits(decoder.forward(packed)).dataSync()));
  const { value, grads } = variableGrads(() => {
    const hidden = decoder.forward(packed, { training: true });
    const logProbs = decoder.labelLogProbs(
      tf.gather(hidden, tf.tensor1d(rows, 'int32')),
      Int32Array.from(labels),
    );
    return tf.neg(tf.mean(logProbs)) as tf.Scalar;
  }, [...variables.values()]);
  const parts = [
    logits,
    ...Array.from(variables.values(), ({ name }) => Float32Array.from(grads[name]!.dataSync())),
  ];
  tf.dispose([value, grads]);
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The root mean square of differences, relative to that of what is expected. */
function distance(a: Float32Array, b: Float32Array): number {
  let [gap, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    gap += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(gap / size);
}
