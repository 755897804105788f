import { spawnSync } from 'node:child_process';
import { readJson } from '../common/files.js';
import { configDefaults } from './config.js';
import { KaggleError } from './errors.js';
import { kaggleBytes, type NotebookFile } from './notebook.js';
import { MOST_BYTES } from './size.js';
import { findNotebook } from './verify.js';

/**
 * Hands a built folder over to Kaggle's own command line, which knows the account.
 * @returns its exit code
 * @throws {KaggleError} when it is not installed, or Kaggle would refuse the notebook
 */
export function pushNotebook(folder: string): number {
  const { path, metadata } = findNotebook(folder);
  const [owner] = String(metadata.id).split('/');
  if (owner === configDefaults.owner) {
    throw new KaggleError(
      `${folder}: built for nobody's account: set "owner" to your name on Kaggle in the configuration, and build again`,
    );
  }
  const bytes = kaggleBytes(readJson(path, 'a notebook') as NotebookFile);
  if (bytes > MOST_BYTES)
    throw new KaggleError(`${path}: ${bytes} bytes as Kaggle counts them, more than ${MOST_BYTES}`);
  const { status, error } = spawnSync('kaggle', ['kernels', 'push', '-p', folder], { stdio: 'inherit' });
  if (error) {
    throw new KaggleError(
      `Kaggle's command line does not run (${(error as NodeJS.ErrnoException).code}): pip install kaggle, and save the ` +
        `API token of your account settings as ~/.kaggle/kaggle.json; or upload ${path} by hand on kaggle.com/code`,
    );
  }
  return status ?? 1;
}
