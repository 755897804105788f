import { UserError } from '../../common/errors.js';
import { OutOfMemoryError } from '../errors.js';

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
        'use a torch from 2.10 to 2.14, or another `backend`',
    );
  }
}

/** An operation of libtorch failed: carries its name and torch's own message. */
export class TorchError extends Error {
  constructor(operation: string, message: string) {
    super(`torch: ${operation}: ${message}`);
  }
}

/** What a release before 2.13 returns about an error; the rest it prints. */
export const NO_MESSAGE = 'failed; torch printed why to the standard error';

/**
 * The error of a call, by what torch says of it: out of memory and an unknown operation can be corrected by the
 * user, everything else cannot.
 * @param memoryIsLow for releases that say nothing: whether hardly any memory is left
 */
export function torchFailure(
  operation: string,
  message: string,
  version: string,
  memoryIsLow = false,
): Error {
  const outOfMemory = /out of memory|can't allocate memory|not enough memory|ALLOC_FAILED/i.test(message);
  if (outOfMemory || (message === NO_MESSAGE && memoryIsLow)) {
    return new OutOfMemoryError(`out of memory: torch: ${operation}: ${message}`);
  }
  if (/could not find schema|is only available for these backends/i.test(message)) {
    return new UnknownOperationError(operation, version);
  }
  return new TorchError(operation, message);
}
