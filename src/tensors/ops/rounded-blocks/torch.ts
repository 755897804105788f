import * as tf from '../../tf.js';
import type { KernelCall, Kernels } from '../../torch/kernels/register.js';
import type { Handle } from '../../torch/library.js';
import { BLOCK, levelsOf, type RoundedKind, STEPS } from './rounded-blocks.js';

function roundBlocks({ inputs, attrs, backend }: KernelCall): tf.TensorInfo[] {
  const x = inputs.x as tf.TensorInfo;
  const { kind } = attrs as { kind: RoundedKind };
  const { torch } = backend;
  const size = tf.util.sizeFromShape(x.shape);
  const blocks = Math.ceil(size / BLOCK);
  const padding = blocks * BLOCK - size;
  const number = (value: number): Handle => torch.full([], value, 'float32');
  const flat = (): Handle => {
    const values = torch.view(backend.handle(x), [size]);
    const whole =
      padding === 0 ? values : torch.call('cat', [values, torch.full([padding], 0, 'float32')], 0);
    return torch.view(whole, [blocks, BLOCK]);
  };
  const largest = (): Handle => torch.call('amax', torch.call('abs', flat()), [1], true);
  const words = backend.run([(blocks * BLOCK) / 4], 'int32', () => {
    const values = flat();
    const levels = levelsOf(kind);
    // a block of zeros has nothing to divide by
    const scale = torch.call('maximum', largest(), number(1e-38));
    const part = torch.call('div.Tensor', torch.call('abs', values), scale);
    const octaves = torch.call('mul.Tensor', torch.call('log', part), number(STEPS / Math.LN2));
    const rounded = torch.call('round', torch.add(octaves, number(levels)));
    const isThere = torch.call('sign', torch.call('abs', values));
    const least = kind === 'signed' ? number(0) : isThere;
    const code = torch.call('mul.Tensor', torch.call('maximum', rounded, least), torch.call('sign', values));
    // bytes are signed here: 255 codes without a sign are the same bits
    const wrapped =
      kind === 'signed'
        ? code
        : torch.add(
            code,
            torch.call(
              'mul.Tensor',
              torch.cast(torch.call('gt.Tensor', code, number(127)), 'float32'),
              number(-256),
            ),
          );
    return torch.call(
      'view.dtype',
      torch.view(torch.cast(wrapped, 'int8'), [blocks * BLOCK]),
      torch.dtypes.int32,
    );
  });
  const scales = backend.run([blocks], 'float32', () => torch.view(largest(), [blocks]));
  return [words, scales];
}

function wholeBlocks({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { words, scales } = inputs as Record<'words' | 'scales', tf.TensorInfo>;
  const { shape, kind } = attrs as { shape: number[]; kind: RoundedKind };
  const { torch } = backend;
  const blocks = scales.shape[0] as number;
  const number = (value: number): Handle => torch.full([], value, 'float32');
  return backend.run(shape, 'float32', () => {
    const bytes = torch.cast(torch.call('view.dtype', backend.handle(words), torch.dtypes.int8), 'float32');
    const codes =
      kind === 'signed'
        ? bytes
        : torch.add(
            bytes,
            torch.call(
              'mul.Tensor',
              torch.cast(torch.call('lt.Tensor', bytes, number(0)), 'float32'),
              number(256),
            ),
          );
    const octaves = torch.add(torch.call('abs', codes), number(-levelsOf(kind)));
    const sizes = torch.call('exp', torch.call('mul.Tensor', octaves, number(Math.LN2 / STEPS)));
    const signed = torch.call('mul.Tensor', sizes, torch.call('sign', codes));
    const whole = torch.call(
      'mul.Tensor',
      torch.view(signed, [blocks, BLOCK]),
      backend.view(scales, [blocks, 1]),
    );
    const all = torch.view(whole, [blocks * BLOCK]);
    return torch.contiguous(torch.view(all, shape, undefined, 0), shape, 'float32');
  });
}

export const kernels: Kernels = { RoundBlocks: roundBlocks, WholeBlocks: wholeBlocks };
