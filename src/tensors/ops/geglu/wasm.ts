import * as tf from '../../tf.js';
import { GRAIN, runFlat } from '../../wasm/kernels/elementwise.js';
import type { KernelCall, Kernels } from '../../wasm/kernels/register.js';
import { pointersOf } from '../../wasm/kernels/rows.js';

function geGlu({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { gate, up } = inputs as Record<'gate' | 'up', tf.TensorInfo>;
  const out = backend.makeOutput(gate.shape, 'float32');
  const pointers = pointersOf(backend, gate, up, out);
  runFlat(backend, 'geGlu', pointers, tf.util.sizeFromShape(gate.shape), GRAIN / 2);
  return out;
}

function geGluGrad({ inputs, backend }: KernelCall): tf.TensorInfo[] {
  const { dy, gate, up } = inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
  const outs = [0, 1].map(() => backend.makeOutput(gate.shape, 'float32'));
  const pointers = pointersOf(backend, dy, gate, up, ...outs);
  runFlat(backend, 'geGluGrad', pointers, tf.util.sizeFromShape(gate.shape), GRAIN / 2);
  return outs;
}

export const kernels: Kernels = { GeGlu: geGlu, GeGluGrad: geGluGrad };
