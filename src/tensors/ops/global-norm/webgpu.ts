import * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import { type Program, programFor } from '../../webgpu/program.js';
import code from './global-norm.wgsl';
import rootCode from './global-norm-root.wgsl';

/** Tensors of one kernel at most, as in the shader. */
const TENSORS = 8;
/** Elements of a workgroup, as long as there are not many workgroups. */
const ELEMENTS = 4096;
/** Workgroups of a tensor at most. */
const MOST = 256;

const squares = programFor((count: number): Program => {
  const tensors = Array.from({ length: count }, (_, i) => i);
  const bindings = tensors.map((i) => `@group(0) @binding(${i + 2}) var<storage, read> x${i}: array<f32>;`);
  const cases = tensors.map((i) => `case ${i}u: { return x${i}[i]; }`);
  const value = `fn value(tensor: u32, i: u32) -> f32 { switch tensor { ${cases.join(' ')} default: { return 0.0; } } }`;
  return {
    name: 'GlobalNorm',
    code: `${code}\n${bindings.join('\n')}\n${value}`,
    buffers: `w${'r'.repeat(count)}`,
    over: 'rows',
  };
});
const root: Program = { name: 'GlobalNorm root', code: rootCode, buffers: 'rw', over: 'rows' };

const padded = (numbers: readonly number[], last: number): number[] =>
  Array.from({ length: TENSORS }, (_, i) => numbers[i] ?? last);

/** Sums of squares of as many tensors as a kernel binds, and the root of the sum of those. */
function globalNorm({ inputs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const sizes = tensors.map(({ shape }) => tf.util.sizeFromShape(shape));
  const groups = sizes.map((size) => Math.min(MOST, Math.ceil(size / ELEMENTS)));
  const count = groups.reduce((sum, each) => sum + each, 0);
  const sums = backend.makeOutput([count]);
  const each = Math.min(TENSORS, backend.device.limits.maxStorageBuffersPerShaderStage - 1);
  let first = 0;
  for (let i = 0; i < tensors.length; i += each) {
    const some = tensors.slice(i, i + each);
    const ends: number[] = [];
    for (const more of groups.slice(i, i + each)) ends.push((ends.at(-1) ?? 0) + more);
    const rows = ends.at(-1)!;
    const numbers = [rows, first, 0, 0, ...padded(sizes.slice(i, i + each), 0), ...padded(ends, rows)];
    // a kernel has as many tensors whatever their number
    while (some.length < each) some.push(some[0]!);
    backend.run(squares(each), [sums, ...some], numbers, []);
    first += rows;
  }
  const out = backend.makeOutput([]);
  backend.run(root, [sums, out], [1, count], []);
  backend.disposeData(sums.dataId);
  return out;
}

export const kernels: Kernels = { GlobalNorm: globalNorm };
