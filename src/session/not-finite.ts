import { UserError } from '../common/errors.js';
import { notFiniteAdvice, notFiniteReason } from '../tensors/finite-advice.js';
import type { FloatType } from '../tensors/precision.js';

/**
 * Says that some answers are missing because the model's numbers were not finite.
 * @param what they are, as a plural such as `answers`
 * @throws {UserError} when all are missing
 */
export function noteNotFinite(
  { failed, total, what }: { failed: number; total: number; what: string },
  floatType: FloatType,
  onNote: (text: string) => void,
): void {
  if (failed === 0) return;
  const reason = `${notFiniteReason(floatType)}; ${notFiniteAdvice(floatType)}`;
  if (failed === total) throw new UserError(`none of ${total} ${what} could be computed: ${reason}`);
  onNote(`${failed} of ${total} ${what} could not be computed: ${reason}`);
}
