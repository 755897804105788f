import { readJson } from '../common/files.js';
import { type Pushed, type RunClient, readPush } from './client.js';
import { configDefaults } from './config.js';
import { KaggleError } from './errors.js';
import { type KaggleNotebook, kaggleBytes } from './notebook.js';
import { rememberPush } from './remote.js';
import { MOST_BYTES } from './size.js';
import { findNotebook } from './verify.js';

/** @throws {KaggleError} when a name such as `someone/my-notebook` is still the one of the defaults */
export function assertOwned(id: string, folder: string): void {
  if (id.split('/')[0] !== configDefaults.owner) return;
  throw new KaggleError(
    `${folder}: built without an account: set "owner" to your name on Kaggle in the configuration, and build again`,
  );
}

/**
 * Hands a built folder over to Kaggle's own command line.
 * @throws {KaggleError} when Kaggle would refuse the notebook, refuses it, or drops something that belongs to it
 */
export async function pushNotebook(folder: string, run: RunClient): Promise<Pushed> {
  const { path, metadata } = findNotebook(folder);
  assertOwned(String(metadata.id), folder);
  const bytes = kaggleBytes(readJson(path, 'a notebook') as KaggleNotebook);
  if (bytes > MOST_BYTES)
    throw new KaggleError(`${path}: ${bytes} bytes as Kaggle counts them, more than ${MOST_BYTES}`);
  const pushed = readPush(await run(['kernels', 'push', '-p', folder]));
  rememberPush(folder, pushed);
  return pushed;
}
