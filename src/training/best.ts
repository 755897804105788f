/** Which of a run's validation losses is the lowest, and when to stop waiting for a lower one. */
import type { ValidationPoint } from './metrics-log.js';

/** The loss that decides, in nats per label: of one prompt kind, or over all samples. */
export function decidingLoss({ loss, kinds }: ValidationPoint, kind: string | undefined): number {
  return kind === undefined ? loss : (kinds[kind]?.loss ?? Number.NaN);
}

/** The validation with the lowest loss, the first among equals; losses that are no numbers do not count. */
export function bestValidation(
  points: readonly ValidationPoint[],
  kind?: string,
): ValidationPoint | undefined {
  return points
    .filter((point) => Number.isFinite(decidingLoss(point, kind)))
    .reduce<ValidationPoint | undefined>(
      (best, point) =>
        best === undefined || decidingLoss(point, kind) < decidingLoss(best, kind) ? point : best,
      undefined,
    );
}

/** How many validations there have been since the best. */
export function validationsSinceBest(points: readonly ValidationPoint[], kind?: string): number {
  const best = bestValidation(points, kind);
  return points.length - 1 - (best === undefined ? -1 : points.indexOf(best));
}
