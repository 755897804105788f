import type * as tf from '../../tf.js';
import { overLists } from '../../webgpu/kernels/lists.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';

const scale = overLists({
  name: 'ScaleEach',
  lists: { x: 'w' },
  params: ['factor'],
  body: 'x#[i] *= params.factor;',
});
const add = overLists({
  name: 'AddEach',
  lists: { total: 'w', other: 'r' },
  params: [],
  body: 'total#[i] += other#[i];',
});

const tensorsOf = ({ inputs }: KernelCall) => inputs as unknown as tf.TensorInfo[];

export const kernels: Kernels = {
  ScaleEach: (call) => scale(call.backend, tensorsOf(call), [call.attrs.factor as number]),
  AddEach: (call) => add(call.backend, tensorsOf(call), []),
};
