import * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';
import type { Handle } from '../library.js';
import type { Torch } from '../torch.js';
import { agree } from './matmul.js';
import { type KernelCall, register } from './register.js';

/** Logits held at a time, in floats. */
const HEAD_LOGITS = 1 << 26;

/** What probabilities are multiplied by in float16, whose smallest number is 6e-8. */
const HALF_SCALE = 1024;

/** 1 / √(mean x² + ε) of each row, in float32: [n, 1]. */
function inverseRms(backend: TorchBackend, x: Handle, epsilon: number): Handle {
  const { torch } = backend;
  const mean = torch.call('mean.dim', torch.call('mul.Tensor', x, x), [1], true, null);
  return torch.call('rsqrt', torch.add(mean, torch.full([], epsilon, 'float32')));
}

const inFloat32 = (backend: TorchBackend, x: tf.TensorInfo): Handle =>
  backend.torchDtype(x) === 'float32' ? backend.handle(x) : backend.torch.cast(backend.handle(x), 'float32');

/** In the type that a tensor has. */
const as = (backend: TorchBackend, handle: Handle, like: tf.TensorInfo): Handle =>
  backend.torch.dtypeOf(handle) === backend.torchDtype(like)
    ? handle
    : backend.torch.cast(handle, backend.torchDtype(like));

function rmsNorm({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { x, weight } = inputs as Record<'x' | 'weight', tf.TensorInfo>;
  const { torch } = backend;
  const epsilon = attrs.epsilon as number;
  if (hasFusedNorm(torch)) return fusedNorm(backend, x, weight, epsilon);
  return backend.run(x.shape, 'float32', () => {
    if ([x, weight].every((tensor) => backend.torchDtype(tensor) === 'float32')) {
      return torch.call('rms_norm', backend.handle(x), weight.shape, backend.handle(weight), epsilon);
    }
    const wide = inFloat32(backend, x);
    const scaled = torch.call('mul.Tensor', wide, inverseRms(backend, wide, epsilon));
    // as transformers does: back to the narrow type first, then the weight
    return torch.call('mul.Tensor', ...agree(backend, as(backend, scaled, x), backend.handle(weight)));
  });
}

const RSTD = 'reciprocal of the root mean square';

/** One kernel instead of seven, where there is one for the gradient too. */
function hasFusedNorm(torch: Torch): boolean {
  return torch.usesCudaKernels && torch.knows('_fused_rms_norm') && torch.knows('_fused_rms_norm_backward');
}

/** What it finds of each row stays with x, for the gradient. */
function fusedNorm(
  backend: TorchBackend,
  x: tf.TensorInfo,
  weight: tf.TensorInfo,
  epsilon: number,
): tf.TensorInfo {
  const { torch } = backend;
  const shape = [x.shape[1] as number];
  const [y, rstd] = torch.tidy(() =>
    torch.callAll('_fused_rms_norm', backend.handle(x), shape, backend.handle(weight), epsilon),
  ) as [Handle, Handle];
  backend.keep(x, RSTD, rstd);
  return backend.adopt(y, x.shape, 'float32');
}

/** dx = r·g − x·r³·mean(x·g), with g = dy·weight and r = 1 / rms(x). */
function rmsNormGrad({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const { dy, x, weight } = inputs as Record<'dy' | 'x' | 'weight', tf.TensorInfo>;
  const { torch } = backend;
  const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
  const rstd = backend.find(x, RSTD);
  if (rstd !== undefined) {
    return backend.run(x.shape, 'float32', () => {
      const grad = as(backend, backend.handle(dy), x);
      const shape = [x.shape[1] as number];
      const own = [backend.handle(x), shape, rstd, backend.handle(weight), [true, false]] as const;
      return torch.callAll('_fused_rms_norm_backward', grad, ...own)[0] as Handle;
    });
  }
  return backend.run(x.shape, 'float32', () => {
    const wide = inFloat32(backend, x);
    const r = inverseRms(backend, wide, attrs.epsilon as number);
    const g = mul(inFloat32(backend, dy), inFloat32(backend, weight));
    const normed = mul(wide, r);
    const mean = torch.call('mean.dim', mul(normed, g), [1], true, null);
    return as(backend, mul(torch.add(g, mul(normed, mean), -1), r), x);
  });
}

/**
 * Rotates the halves of every head: (a, b) → (a·cos − b·sin, b·cos + a·sin), as (a, b)·(cos, cos) + (b, a)·(−sin, sin).
 */
function rotaryEmbedding({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { x, cos, sin } = inputs as Record<'x' | 'cos' | 'sin', tf.TensorInfo>;
  const [n, heads, headDim] = x.shape as [number, number, number];
  const half = headDim / 2;
  const { torch } = backend;
  const dtype = backend.torchDtype(x);
  // one pair of tables for all layers
  const table = (of: tf.TensorInfo, name: string, sign: (rows: Handle) => Handle) =>
    backend.kept(of, `${name} ${dtype}`, () => {
      const rows = as(backend, backend.view(of, [n, 1, 1, half]), x);
      return torch.call('cat', [sign(rows), rows], 2);
    });
  return backend.run(x.shape, 'float32', () => {
    const halves = backend.view(x, [n, heads, 2, half]);
    const straight = torch.call(
      'mul.Tensor',
      halves,
      table(cos, 'twice', (rows) => rows),
    );
    const crossed = torch.call(
      'mul_.Tensor',
      torch.call('flip', halves, [2]),
      table(sin, 'rotation', (rows) => torch.call('neg', rows)),
    );
    return torch.view(torch.add(straight, crossed), x.shape);
  });
}

/**
 * log p(label) of each row and its derivative head[label] − p · head, over blocks of rows: never more than
 * {@link HEAD_LOGITS} logits at once.
 */
function headLogProbs({ inputs, backend }: KernelCall): tf.TensorInfo[] {
  const { hidden, head, labels } = inputs as Record<'hidden' | 'head' | 'labels', tf.TensorInfo>;
  const [rows, d] = hidden.shape as [number, number];
  const vocabSize = head.shape[0] as number;
  for (const label of backend.hostValues(labels) as Int32Array) {
    if (label < 0 || label >= vocabSize) {
      throw new Error(`headLogProbs: label ${label} is not in [0, ${vocabSize - 1}]`);
    }
  }
  const { torch } = backend;
  const step = Math.max(1, Math.floor(HEAD_LOGITS / vocabSize));
  const [logProbs, jacobian] = torch.tidy(() => {
    const outLogProbs = torch.empty([rows], 'float32');
    const outJacobian = torch.empty([rows, d], 'float32');
    for (let start = 0; start < rows; start += step) {
      const count = Math.min(step, rows - start);
      torch.tidy(() => {
        const x = backend.view(hidden, [count, d], undefined, start * d);
        const w = backend.handle(head);
        const label = backend.view(labels, [count], undefined, start);
        const narrow = torch.call('mm', x, backend.view(head, [d, vocabSize], [1, d]));
        const logits = torch.dtypeOf(narrow) === 'float32' ? narrow : torch.cast(narrow, 'float32');
        const logSoftmax = torch.call('_log_softmax', logits, 1, false);
        const index = torch.view(torch.cast(label, 'int64'), [count, 1]);
        const own = torch.call('gather', logSoftmax, 1, index, false);
        torch.copy(torch.view(outLogProbs, [count, 1], undefined, start), own);
        // p − 1 of the label is made before the type gets narrow: near 1 nothing would be left of it
        const p = torch.call('exp', logSoftmax);
        torch.call('scatter_.src', p, 1, index, torch.call('expm1', own));
        const type = torch.dtypeOf(w);
        const scaled =
          type === 'float16' ? torch.call('mul.Tensor', p, torch.full([], HALF_SCALE, 'float32')) : p;
        const mixture = torch.call('mm', type === 'float32' ? p : torch.cast(scaled, type), w);
        const factor = torch.full([], type === 'float16' ? -1 / HALF_SCALE : -1, 'float32');
        const wide = type === 'float32' ? mixture : torch.cast(mixture, 'float32');
        torch.copy(
          torch.view(outJacobian, [count, d], undefined, start * d),
          torch.call('mul.Tensor', wide, factor),
        );
        return undefined;
      });
    }
    return [outLogProbs, outJacobian];
  }) as [Handle, Handle];
  return [backend.adopt(logProbs, [rows], 'float32'), backend.adopt(jacobian, [rows, d], 'float32')];
}

/** The logits of some columns of each row, and the log-sum-exp of all in float32. */
function scoreColumns({ inputs, backend }: KernelCall): tf.TensorInfo {
  const { logits, columns } = inputs as Record<'logits' | 'columns', tf.TensorInfo>;
  const { torch } = backend;
  const [rows, count] = columns.shape as [number, number];
  return backend.run([rows, count + 1], 'float32', () => {
    const wide = inFloat32(backend, logits);
    const index = torch.cast(backend.handle(columns), 'int64');
    const picked = torch.call('gather', wide, 1, index, false);
    return torch.call('cat', [picked, torch.call('logsumexp', wide, [1], true)], 1);
  });
}

/** One step of AdamW on a list p, g, m, v, p, …, written in place by one fused operation. */
function adamW({ inputs, attrs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { lr, beta1, beta2, epsilon, weightDecay, step } = attrs as Record<
    'lr' | 'beta1' | 'beta2' | 'epsilon' | 'weightDecay' | 'step',
    number
  >;
  const { torch } = backend;
  torch.tidy(() => {
    const every = (offset: number) => tensors.filter((_, i) => i % 4 === offset);
    const params = every(0).map((tensor) => backend.handle(tensor));
    const gradients = every(1).map((tensor, i) =>
      backend.torchDtype(tensor) === torch.dtypeOf(params[i] as Handle)
        ? backend.handle(tensor)
        : torch.cast(backend.handle(tensor), torch.dtypeOf(params[i] as Handle)),
    );
    const [first, second] = [every(2), every(3)].map((list) => list.map((tensor) => backend.handle(tensor)));
    // torch counts the step itself, in a tensor per parameter that it reads after adding nothing
    const steps = params.map(() => torch.full([], step, 'float32'));
    torch.callAll(
      '_fused_adamw_',
      params,
      gradients,
      first as Handle[],
      second as Handle[],
      [],
      steps,
      lr,
      beta1,
      beta2,
      weightDecay,
      epsilon,
      false,
      false,
      null,
      null,
    );
    return undefined;
  });
  return backend.run([0], 'float32', () => torch.empty([0], 'float32'));
}

/** Σ x² of each tensor in one operation, and the root of their sum. */
function globalNorm({ inputs, backend }: KernelCall): tf.TensorInfo {
  const tensors = inputs as unknown as tf.TensorInfo[];
  const { torch } = backend;
  const squares = (tensor: tf.TensorInfo): Handle =>
    torch.tidy(() => {
      const flat = torch.view(inFloat32(backend, tensor), [tf.util.sizeFromShape(tensor.shape)]);
      return torch.view(torch.call('dot', flat, flat), [1]);
    });
  return backend.run([], 'float32', () => {
    const sum = torch.call('sum.dim_IntList', torch.call('cat', tensors.map(squares), 0), [0], false, null);
    return torch.call('sqrt', sum);
  });
}

/** The named kernels of a decoder other than attention and Linear. */
export function registerDecoder(): void {
  register('RmsNorm', rmsNorm);
  register('RmsNormGrad', rmsNormGrad);
  register('RotaryEmbedding', rotaryEmbedding);
  register('SwiGlu', ({ inputs, backend }) => {
    const { gate, up } = inputs as Record<'gate' | 'up', tf.TensorInfo>;
    const { torch } = backend;
    return backend.run(gate.shape, 'float32', () =>
      torch.call('mul_.Tensor', torch.call('silu', backend.handle(gate)), backend.handle(up)),
    );
  });
  register('SwiGluGrad', ({ inputs, backend }) => {
    const { dy, gate, up } = inputs as Record<'dy' | 'gate' | 'up', tf.TensorInfo>;
    const { torch } = backend;
    const [d, g, u] = [dy, gate, up];
    const mul = (a: Handle, b: Handle) => torch.call('mul.Tensor', a, b);
    return [
      backend.run(g.shape, 'float32', () =>
        torch.call('silu_backward', mul(backend.handle(d), backend.handle(u)), backend.handle(g)),
      ),
      backend.run(g.shape, 'float32', () => mul(backend.handle(d), torch.call('silu', backend.handle(g)))),
    ];
  });
  register('HeadLogProbs', headLogProbs);
  register('ScoreColumns', scoreColumns);
  register('AdamW', adamW);
  register('GlobalNorm', globalNorm);
}
