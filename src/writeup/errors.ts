import { UserError } from '../common/errors.js';

/** A write-up that cannot be read, or a command in it that failed. */
export class WriteupError extends UserError {}
