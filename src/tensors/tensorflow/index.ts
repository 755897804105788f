import { createRequire } from 'node:module';
import { messageOf } from '../../common/errors.js';
import { fallbackKernels, isNumeric } from '../fallback.js';
import * as tf from '../tf.js';
import { TensorFlowBackend } from './backend.js';
import type { Binding } from './binding.js';
import { TensorFlowNotFoundError } from './errors.js';
import { requireTensorFlow } from './locate.js';
import { registerTfjsNodeKernels } from './tfjs-node.js';

const BACKEND_NAME = 'tensorflow';

/** Kernels of tfjs-node whose results are complex: the plain ones make pairs of real tensors, as all our backends. */
const complexResults = new Set(['Complex', 'FFT', 'IFFT']);

function loadBinding(addon: string): Binding {
  // a library that prints on its own would write between the lines of progress bars; errors still come through
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  try {
    return createRequire(addon)(addon);
  } catch (error) {
    throw new TensorFlowNotFoundError(`${addon}: cannot be loaded: ${messageOf(error)}`);
  }
}

/** Whether tfjs-node's own kernel cannot be given this call. */
function isForPlain(name: string, { inputs, attrs }: Parameters<tf.KernelFunc>[0]): boolean {
  const { dtype, value } = (attrs ?? {}) as { dtype?: tf.DataType; value?: unknown };
  return (
    complexResults.has(name) ||
    dtype === 'complex64' ||
    dtype === 'string' ||
    typeof value === 'string' ||
    !isNumeric(inputs as Record<string, tf.TensorInfo>)
  );
}

/**
 * Registers the tfjs backend `tensorflow`: the kernels of tfjs-node, and for what they lack (some kernels, strings,
 * complex numbers) those of tfjs's `cpu` backend on tensors brought to the host.
 * @throws {TensorFlowNotFoundError} when there is no addon that can be used
 */
export function registerTensorFlowBackend(): void {
  if (tf.findBackendFactory(BACKEND_NAME) !== null) return;
  const { addon, packageFolder } = requireTensorFlow();
  const binding = loadBinding(addon);
  registerTfjsNodeKernels(packageFolder);
  const plain = fallbackKernels<TensorFlowBackend>();
  for (const { kernelName, kernelFunc } of tf.getKernelsForBackend(BACKEND_NAME)) {
    const fallback = plain.get(kernelName) as unknown as tf.KernelFunc | undefined;
    plain.delete(kernelName);
    if (!fallback) continue;
    tf.unregisterKernel(kernelName, BACKEND_NAME);
    register(kernelName, (call) => (isForPlain(kernelName, call) ? fallback : kernelFunc)(call));
  }
  for (const [name, kernel] of plain) register(name, kernel as unknown as tf.KernelFunc);
  tf.registerBackend(BACKEND_NAME, () => new TensorFlowBackend(binding), 3);
}

function register(kernelName: string, kernelFunc: tf.KernelFunc): void {
  tf.registerKernel({ kernelName, backendName: BACKEND_NAME, kernelFunc });
}
