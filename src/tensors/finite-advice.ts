/** What is said where a model's numbers are not finite: infinities and NaN that no answer can be read from. */
import type { FloatType } from './precision.js';

/** Why an answer is missing. */
export function notFiniteReason(floatType: FloatType): string {
  return `the model's numbers are not finite in ${floatType}`;
}

/** What helps against it. */
export function notFiniteAdvice(floatType: FloatType): string {
  switch (floatType) {
    case 'float16':
      return 'float16 overflows at 65504: use `dtype: bfloat16` or float32';
    case 'bfloat16':
      return 'use `dtype: float32`';
    default:
      return 'check the weights of the model and of its adapter';
  }
}
