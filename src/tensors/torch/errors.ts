import { UserError } from '../../common/errors.js';

/** No usable PyTorch: says what was found and what to do. */
export class TorchNotFoundError extends UserError {}

/** The device that was asked for cannot be had: says what was found. */
export class DeviceError extends UserError {
  override name = 'DeviceError';
}

/** A libtorch without an operation that is needed, or with another form of it. */
export class UnknownOperationError extends UserError {
  override name = 'UnknownOperationError';

  constructor(operation: string, version: string) {
    super(
      `torch ${version} has no operation ${operation} of the form that is known here; ` +
        'use a torch from 2.10 to 2.14, or another --backend',
    );
  }
}

/** An operation of libtorch failed: carries its name and torch's own message. */
export class TorchError extends Error {
  constructor(operation: string, message: string) {
    super(`torch: ${operation}: ${message}`);
  }
}
