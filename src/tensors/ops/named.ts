import * as tf from '../tf.js';

let plainOnly = false;

/**
 * Runs `f` with every named kernel replaced by its plain form, whatever the backend has: the reference that
 * a backend's own kernels are compared with.
 */
export function withPlainKernels<T>(f: () => T): T {
  const before = plainOnly;
  plainOnly = true;
  try {
    return f();
  } finally {
    plainOnly = before;
  }
}

/** Named kernels that were found, by backend: tfjs' own registry makes a new string of both names for every look. */
const found = new Map<string, Set<string>>();

/** Whether the active backend has its own implementation of a named kernel. */
export function hasKernel(name: string): boolean {
  if (plainOnly) return false;
  const backend = tf.getBackend();
  if (found.get(backend)?.has(name)) return true;
  if (tf.getKernel(name, backend) == null) return false;
  found.set(backend, (found.get(backend) ?? new Set<string>()).add(name));
  return true;
}

/** Runs a kernel of the active backend; on the gradient tape it is one node. */
export function runNamed<T extends tf.Tensor | tf.Tensor[]>(
  name: string,
  inputs: Record<string, tf.Tensor>,
  attributes: object = {},
): T {
  return tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap) as T;
}

/** Σ over the rows of a matrix [n, d] → [d]. */
export function sumRows(x: tf.Tensor): tf.Tensor1D {
  return tf.sum(x, 0);
}
