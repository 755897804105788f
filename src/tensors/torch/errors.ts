import { UserError } from '../../common/errors.js';

/** No usable PyTorch: says what was found and what to do. */
export class TorchNotFoundError extends UserError {}

/** An operation of libtorch failed: carries its name and torch's own message. */
export class TorchError extends Error {
  constructor(operation: string, message: string) {
    super(`torch: ${operation}: ${message}`);
  }
}
