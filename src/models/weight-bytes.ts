import { quantizedBytes } from '../tensors/ops/index.js';
import type { FloatType } from '../tensors/precision.js';
import * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './decoder-config.js';
import { modelShapes } from './weights.js';

/** What weights may be kept in: their type, and what the matrices of the layers are rounded to. */
export interface WeightForm {
  readonly floatType: FloatType;
  readonly weights?: 'int8' | undefined;
}

/** The bytes of all weights of a model in a form, from the shapes in its configuration. */
export function weightBytes(config: DecoderConfig, { floatType, weights }: WeightForm): number {
  const width = floatType === 'float32' ? 4 : 2;
  const { weights: shapes, projections } = modelShapes(config);
  let bytes = 0;
  for (const [name, shape] of shapes) {
    const matrix = projections.get(name.replace(/\.weight$/, ''));
    bytes += weights && matrix ? quantizedBytes(...matrix) : width * tf.util.sizeFromShape([...shape]);
  }
  return bytes;
}
