import * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../webgpu/kernels/register.js';
import type { Program } from '../../webgpu/program.js';
import roundCode from './round-blocks.wgsl';
import { BLOCK, levelsOf, type RoundedKind, STEPS } from './rounded-blocks.js';
import wholeCode from './whole-blocks.wgsl';

const round: Program = { name: 'RoundBlocks', code: roundCode, buffers: 'rww', over: 'rows' };
const whole: Program = { name: 'WholeBlocks', code: wholeCode, buffers: 'rrw', over: 'elements' };

function roundBlocks({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const { kind } = attrs as { kind: RoundedKind };
  const x = inputs.x!;
  const size = tf.util.sizeFromShape(x.shape);
  const blocks = Math.ceil(size / BLOCK);
  const words = backend.makeOutput([(blocks * BLOCK) / 4], 'int32');
  const scales = backend.makeOutput([blocks]);
  const numbers = [blocks, size, levelsOf(kind), Number(kind === 'signed')];
  backend.run(round, [x, words, scales], numbers, [STEPS]);
  return [words, scales];
}

function wholeBlocks({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { kind, shape } = attrs as { kind: RoundedKind; shape: number[] };
  const { words, scales } = inputs as Record<'words' | 'scales', tf.TensorInfo>;
  const size = tf.util.sizeFromShape(shape);
  const out = backend.makeOutput(shape);
  const numbers = [size, levelsOf(kind), Number(kind === 'signed')];
  backend.run(whole, [words, scales, out], numbers, [STEPS]);
  return out;
}

export const kernels: Kernels = { RoundBlocks: roundBlocks, WholeBlocks: wholeBlocks };
