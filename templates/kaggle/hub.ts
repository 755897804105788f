import { statSync } from 'node:fs';
import { ModelFileError } from '../../src/models/errors.js';

/** Stands in for the hub's download: a submission has no internet, so that a model is always an attached folder. */
export async function resolveModel(path: string): Promise<string> {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return path;
  throw new ModelFileError(
    `${path}: no such folder; without internet a model has to be attached to the notebook`,
  );
}
