import { UserError } from '../common/errors.js';

/** The tokenizer has no token that continues what the grammar asks for. */
export class DeadEndError extends UserError {
  override name = 'DeadEndError';
}
