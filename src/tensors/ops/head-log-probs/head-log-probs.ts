import { floatTypeOf, operandFor, toFloatType } from '../../float-type.js';
import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';
import { softCapped } from '../soft-cap/soft-cap.js';

/** Logits held at a time, in floats: rows are taken in chunks so that chunk · V stays below it. */
const chunkElements = 1 << 22;

/**
 * log softmax(hidden · headᵀ)[label] without keeping the logits: hidden [r, d], head [V, d], labels int32 [r]
 * → [r] in float32, whatever the type of the hidden states.
 * @param softCap logits y become cap · tanh(y / cap); they stay as they are when absent
 */
export function headLogProbs(
  hidden: tf.Tensor2D,
  table: tf.Tensor2D,
  labels: tf.Tensor1D,
  softCap?: number,
): tf.Tensor1D {
  const head = operandFor(hidden, table);
  const name = hasKernel('HeadLogProbs') ? 'HeadLogProbs' : plainKernel();
  return runNamed<tf.Tensor[]>(name, { hidden, head, labels }, { softCap })[0] as tf.Tensor1D;
}

/**
 * Registers the plain form as a kernel of the active backend. Being one node of the tape, it keeps no
 * logits, and the head's gradient is computed only when it is asked for.
 */
function plainKernel(): string {
  const backendName = tf.getBackend();
  // a name for each backend, because one backend may take over the kernels of another as they are
  const kernelName = `HeadLogProbsPlain-${backendName}`;
  if (tf.getKernel(kernelName, backendName) == null) {
    registerHeadGradient(kernelName);
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) => {
        const { hidden, head, labels } = inputs as unknown as Inputs;
        return plainHeadLogProbs(hidden, head, labels, (attrs as Attributes).softCap);
      },
    });
  }
  return kernelName;
}

interface Inputs {
  hidden: tf.Tensor2D;
  head: tf.Tensor2D;
  labels: tf.Tensor1D;
}

type Attributes = { softCap?: number };

function registerHeadGradient(kernelName: string): void {
  tf.registerGradient({
    kernelName,
    inputsToSave: ['hidden', 'head', 'labels'],
    outputsToSave: [false, true],
    gradFunc: (dys, saved, attributes) => {
      const [hidden, head, labels, jacobian] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor1D, tf.Tensor2D];
      const dy = (dys as tf.Tensor[])[0] as tf.Tensor1D;
      return {
        hidden: () => toFloatType(tf.mul(tf.expandDims(dy, 1), jacobian), floatTypeOf(hidden)),
        head: () => headGradient(dy, hidden, head, labels, (attributes as Attributes).softCap),
      };
    },
  });
}
registerHeadGradient('HeadLogProbs');

/** Checks that every label is a row of the head: kernels read where they are told to. */
export function assertLabels(labels: ArrayLike<number>, vocabSize: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (label >= 0 && label < vocabSize) continue;
    throw new Error(`headLogProbs: label ${label} is not in [0, ${vocabSize - 1}]`);
  }
}

/** x times the slope of {@link softCapped} where that gave `capped`. */
function timesSlope(x: tf.Tensor2D, capped: tf.Tensor2D, cap: number | undefined): tf.Tensor2D {
  return cap === undefined ? x : tf.mul(x, tf.sub(1, tf.square(tf.div(capped, cap))));
}

/** Log-probabilities [r] and their derivatives head[label] − Σ p · head with respect to the hidden rows [r, d]. */
function plainHeadLogProbs(
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  labels: tf.Tensor1D,
  softCap: number | undefined,
): tf.Tensor[] {
  assertLabels(labels.dataSync<'int32'>(), head.shape[0]);
  return tf.tidy(() => {
    const logProbs: tf.Tensor[] = [];
    const jacobian: tf.Tensor[] = [];
    for (const [start, size] of chunks(hidden.shape[0], head.shape[0])) {
      const parts = tf.tidy(() => {
        const rows: tf.Tensor2D = tf.slice(hidden, [start, 0], [size, -1]);
        const logits: tf.Tensor2D = softCapped(tf.matMul(rows, head, false, true), softCap);
        const target = oneHot(tf.slice(labels, start, size), head.shape[0]);
        const logSoftmax = tf.logSoftmax(logits);
        return [
          tf.sum(tf.mul(logSoftmax, target), -1),
          tf.matMul(timesSlope(tf.sub(target, tf.exp(logSoftmax)) as tf.Tensor2D, logits, softCap), head),
        ];
      });
      logProbs.push(parts[0]!);
      jacobian.push(parts[1]!);
    }
    return logProbs.length === 0
      ? [tf.zeros([0]), tf.zeros([0, hidden.shape[1]])]
      : [tf.concat(logProbs, 0), tf.concat(jacobian, 0)];
  });
}

/** The gradient of Σ dy · logProbs with respect to the head: [V, d], a chunk of rows at a time. */
function headGradient(
  dy: tf.Tensor1D,
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  labels: tf.Tensor1D,
  softCap: number | undefined,
): tf.Tensor2D {
  let total: tf.Tensor2D = tf.zerosLike(head);
  for (const [start, size] of chunks(hidden.shape[0], head.shape[0])) {
    const sum = tf.tidy(() => {
      const rows: tf.Tensor2D = tf.slice(hidden, [start, 0], [size, -1]);
      const target = oneHot(tf.slice(labels, start, size), head.shape[0]);
      const logits: tf.Tensor2D = softCapped(tf.matMul(rows, head, false, true), softCap);
      const difference = timesSlope(tf.sub(target, tf.softmax(logits)) as tf.Tensor2D, logits, softCap);
      const weighted: tf.Tensor2D = tf.mul(difference, tf.expandDims(tf.slice(dy, start, size), 1));
      return tf.add(total, tf.matMul(weighted, rows, true, false)) as tf.Tensor2D;
    });
    total.dispose();
    total = sum;
  }
  return total;
}

function oneHot(labels: tf.Tensor1D, depth: number): tf.Tensor2D {
  return tf.cast(tf.oneHot(labels, depth), 'float32') as tf.Tensor2D;
}

/** Where each chunk of rows starts and how many it has. */
function* chunks(rows: number, vocabSize: number): Generator<[start: number, size: number]> {
  const step = Math.max(1, Math.floor(chunkElements / vocabSize));
  for (let start = 0; start < rows; start += step) yield [start, Math.min(step, rows - start)];
}
