import type { Rng } from '../common/rng.js';
import type { Decoder } from '../models/decoder.js';
import { type PackedTokens, packSequences } from '../models/packed-tokens.js';
import { variableGrads } from '../tensors/gradients.js';
import * as tf from '../tensors/tf.js';
import { labelsOf } from './packing.js';
import type { TrainingSample } from './sample.js';

/** The part of a decoder that training needs. */
export type TrainableDecoder = Pick<Decoder, 'forward' | 'labelLogProbs' | 'trainableVariables'> &
  Partial<Pick<Decoder, 'floatType' | 'keptType' | 'gradientCheckpointing'>>;

/** A micro-batch as the decoder takes it, with its labels. */
interface LabelledBatch {
  readonly packed: PackedTokens;
  /** Rows of the hidden states that predict a label: int32 [labels]. */
  readonly rows: tf.Tensor1D;
  readonly labels: Int32Array;
  readonly weights: Float32Array;
  /** What names the dropout masks of those rows in the head: [labels]. */
  readonly names: Int32Array;
}

function labelledBatch(samples: readonly TrainingSample[]): LabelledBatch {
  const { rows, labels, weights } = labelsOf(samples);
  const packed = packSequences(
    samples.map(({ tokens }) => Array.from(tokens)),
    samples.map(({ index }) => index),
  );
  const names = rows.map((row) => packed.names[row]!);
  return { packed, rows: tf.tensor1d(rows, 'int32'), labels, weights, names };
}

/** log p of every label: [labels]. Logits are made for the labelled rows only. */
function labelLogProbs(
  decoder: TrainableDecoder,
  { packed, rows, labels, names }: LabelledBatch,
  options: { training: boolean; rng?: Rng },
): tf.Tensor1D {
  return decoder.labelLogProbs(decoder.forward(packed, { ...options, rows }), labels, { ...options, names });
}

/** What one micro-batch adds to a global batch. */
export interface MicroBatchResult {
  /** Of the trainable variables that the loss depends on, by `variable.name`; the caller disposes of them. */
  readonly gradients: tf.NamedTensorMap;
  /** log p of each label, in the order of the samples: [labels]; the caller disposes of it. */
  readonly logProbs: tf.Tensor1D;
}

/**
 * The gradient of −Σ weight · log p(label) / divisor over a micro-batch. With the label count of the global
 * batch as the divisor, the gradients of its micro-batches add up to that of the whole. They are `lossScale` times
 * as large (default 1), because small ones are zero in float16.
 */
export function microBatchGradients(
  decoder: TrainableDecoder,
  samples: readonly TrainingSample[],
  options: { divisor: number; rng: Rng; lossScale?: number },
): MicroBatchResult {
  const variables = [...decoder.trainableVariables().values()];
  return tf.tidy(() => {
    let logProbs: tf.Tensor1D | undefined;
    // made outside the differentiated function, whose end frees what it made
    const batch = labelledBatch(samples);
    const { divisor, lossScale = 1 } = options;
    const scale = tf.tensor1d(batch.weights.map((weight) => (-weight / divisor) * lossScale));
    const { grads } = variableGrads(() => {
      const values = labelLogProbs(decoder, batch, { training: true, rng: options.rng });
      logProbs = tf.keep(tf.clone(values));
      return tf.sum(tf.mul(values, scale)) as tf.Scalar;
    }, variables);
    return { gradients: grads, logProbs: logProbs! };
  });
}

/** log p of each label without a gradient, dropout or loss weights, as plain numbers: [labels]. */
export async function scoreSamples(
  decoder: TrainableDecoder,
  samples: readonly TrainingSample[],
): Promise<Float32Array> {
  const logProbs = tf.tidy(() => labelLogProbs(decoder, labelledBatch(samples), { training: false }));
  const values = (await logProbs.data()) as Float32Array;
  logProbs.dispose();
  return values;
}
