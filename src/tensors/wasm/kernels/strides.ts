import { stridesOf } from '../../strides.js';

/** One loop over an array: how many steps, and how many elements each operand moves at a step. */
export interface Axis {
  dimension: number;
  strides: number[];
}

/** Strides of a shape read as `target`: 0 along the axes where it is repeated. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const own = stridesOf(shape);
  const missing = target.length - shape.length;
  return target.map((_, axis) =>
    axis < missing || shape[axis - missing] === 1 ? 0 : (own[axis - missing] as number),
  );
}

/** Drops axes of size one and joins neighbours that all operands walk through without a jump. Outermost first. */
export function collapse(shape: readonly number[], operands: readonly (readonly number[])[]): Axis[] {
  const axes: Axis[] = [];
  for (const [axis, dimension] of shape.entries()) {
    if (dimension === 1) continue;
    const strides = operands.map((operand) => operand[axis] as number);
    const outer = axes.at(-1);
    if (outer?.strides.every((stride, i) => stride === (strides[i] as number) * dimension)) {
      outer.dimension *= dimension;
      outer.strides = strides;
    } else {
      axes.push({ dimension, strides });
    }
  }
  return axes;
}

/** The table of outer axes that kernels read: innermost first, (dimension, first stride, second stride). */
export function outerTable(axes: readonly Axis[]): number[] {
  return axes.toReversed().flatMap(({ dimension, strides }) => [dimension, ...strides]);
}

/** The number of steps through some axes. */
export function stepsOf(axes: readonly Axis[]): number {
  return axes.reduce((product, { dimension }) => product * dimension, 1);
}
