import * as tf from '../tensors/tf.js';
import type { HostTensor } from './safetensors.js';

/** A tensor on the host. Its values may change with it; a function's tensor is disposed of, and its values stay. */
export async function toHost(
  source: tf.Tensor | (() => tf.Tensor),
): Promise<HostTensor & { values: Float32Array }> {
  if (typeof source !== 'function') {
    return { shape: source.shape, values: await source.data<'float32'>(), dtype: 'F32' };
  }
  const tensor = tf.tidy(source);
  try {
    const values = await tensor.data<'float32'>();
    return { shape: tensor.shape, values: values.slice(), dtype: 'F32' };
  } finally {
    tensor.dispose();
  }
}
