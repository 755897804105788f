import { UserError } from '../common/errors.js';

/** A backend name that is not registered. */
export class UnknownBackendError extends UserError {
  override name = 'UnknownBackendError';

  constructor(given: string, known: readonly string[], source: string) {
    super(`${source}: unknown backend ${JSON.stringify(given)}. Known backends: ${known.join(', ')}`);
  }
}

/** A backend without anything to compute on: says what was found and what to do. */
export class NoDeviceError extends UserError {
  override name = 'NoDeviceError';
}

/** A tensor that does not fit in what is left of the backend's memory. */
export class OutOfMemoryError extends UserError {
  override name = 'OutOfMemoryError';

  /** @param isAdvised whether the message says already what needs less */
  constructor(
    message: string,
    readonly isAdvised = false,
  ) {
    super(message);
  }
}
