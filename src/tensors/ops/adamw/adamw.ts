import * as tf from '../../tf.js';
import { hasKernel, runNamed } from '../named.js';

/** The numbers of one AdamW step. */
export interface AdamWOptions {
  /** The learning rate of this step. */
  lr: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled: parameters shrink by lr · weightDecay. */
  weightDecay: number;
  /** 1 for the first step. */
  step: number;
}

/**
 * One step of AdamW (Loshchilov and Hutter 2019), in place, with the arithmetic of torch.optim.AdamW. The four
 * lists are of the same length, and their n-th tensors of the same shape. Gradients are left as they were.
 */
export function adamW(
  params: readonly tf.Variable[],
  grads: readonly tf.Tensor[],
  firstMoments: readonly tf.Variable[],
  secondMoments: readonly tf.Variable[],
  options: AdamWOptions,
): void {
  if (params.length === 0) return;
  if (hasKernel('AdamW')) {
    const flat = params.flatMap((p, i) => [p, grads[i]!, firstMoments[i]!, secondMoments[i]!]);
    // a list of inputs is what tfjs's own Pack kernel takes
    const result = runNamed<tf.Tensor | tf.Tensor[]>(
      'AdamW',
      flat as unknown as Record<string, tf.Tensor>,
      options,
    );
    tf.dispose(result);
    return;
  }
  const { lr, beta1, beta2, epsilon, weightDecay, step } = options;
  const correction1 = 1 - beta1 ** step;
  const correction2 = 1 - beta2 ** step;
  params.forEach((p, i) => {
    const [g, m, v] = [grads[i]!, firstMoments[i]!, secondMoments[i]!];
    tf.tidy(() => {
      m.assign(tf.add(tf.mul(m, beta1), tf.mul(g, 1 - beta1)));
      v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(g), 1 - beta2)));
      const denominator = tf.add(tf.div(tf.sqrt(v), Math.sqrt(correction2)), epsilon);
      const update = tf.mul(tf.div(m, denominator), lr / correction1);
      p.assign(tf.sub(tf.mul(p, 1 - lr * weightDecay), update));
    });
  });
}
