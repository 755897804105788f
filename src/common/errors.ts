/** The kernel, which imports nothing of the library, has the same mistakes: one class serves both. */
export { messageOf, UserError } from '../../kernel/common/errors.js';
