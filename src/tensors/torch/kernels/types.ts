/** Element types inside of kernels. */
import type * as tf from '../../tf.js';
import type { TorchBackend } from '../backend.js';
import type { Handle } from '../library.js';

/** In float32, which a sum over many elements needs. */
export const inFloat32 = (backend: TorchBackend, x: tf.TensorInfo): Handle =>
  backend.torchDtype(x) === 'float32' ? backend.handle(x) : backend.torch.cast(backend.handle(x), 'float32');

/** In the type that a tensor has. */
export const as = (backend: TorchBackend, handle: Handle, like: tf.TensorInfo): Handle =>
  backend.torch.dtypeOf(handle) === backend.torchDtype(like)
    ? handle
    : backend.torch.cast(handle, backend.torchDtype(like));

/** Two operands in one element type: the narrower one, because that is what a computation in half asked for. */
export function agree(backend: TorchBackend, x: Handle, y: Handle): [Handle, Handle] {
  const { torch } = backend;
  const [left, right] = [torch.dtypeOf(x), torch.dtypeOf(y)];
  if (left === right) return [x, y];
  return left === 'float32' ? [torch.cast(x, right), y] : [x, torch.cast(y, left)];
}
