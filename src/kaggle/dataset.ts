/** Uploading a folder (an adapter, a model, Node.js) as a data set, or as the next version of one. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readJson } from '../common/files.js';
import { assertSucceeded, type ClientResult, lastLine, type RunClient } from './client.js';
import { KaggleError } from './errors.js';
import { checkDatasetMetadata, datasetMetadata } from './metadata.js';
import { asciiJson } from './notebook.js';
import { assertOwned } from './push.js';
import type { KaggleConfig } from './types.js';

const METADATA = 'dataset-metadata.json';
/** What a checkpoint has only for training to go on: as large as two adapters, and of no use on Kaggle. */
const TRAINING_ONLY = new Set(['optimizer.safetensors']);

/** What was uploaded. */
export interface UploadedDataset {
  readonly id: string;
  readonly url: string;
  /** False when it is the next version of a data set that was there. */
  readonly isNew: boolean;
  /** Names that were left out. */
  readonly leftOut: readonly string[];
}

/** What belongs into the data set of a folder: its own metadata, or those of a configuration. */
function metadataFor(folder: string, config: KaggleConfig | undefined): Record<string, unknown> {
  const path = join(folder, METADATA);
  if (existsSync(path)) return checkDatasetMetadata(readJson(path, "a data set's metadata"), path);
  const metadata = config && datasetMetadata(config);
  if (metadata) return metadata;
  throw new KaggleError(
    `${folder}: expected a ${METADATA}, or "dataset": {"slug", "title", "license"} in the file of --config`,
  );
}

/** Reads what `kaggle datasets create` or `version` said. @throws {KaggleError} when anything was not uploaded */
function readUpload(result: ClientResult, id: string): string {
  assertSucceeded(result, `upload of ${id}`);
  const { output } = result;
  const error = /^Dataset (?:version )?creation error: ?(.*)/m.exec(output);
  if (error) throw new KaggleError(`upload of ${id}: Kaggle refused it: ${error[1]}`);
  const missing = [...output.matchAll(/^(?:Upload unsuccessful|Skipping folder|Skipping): ([^\n;]+)/gm)].map(
    ([, name]) => name,
  );
  if (missing.length > 0)
    throw new KaggleError(
      `upload of ${id}: the data set is being made without ${missing.join(', ')}: upload it again`,
    );
  const url = /Please check progress at (\S+)/.exec(output)?.[1];
  if (url === undefined)
    throw new KaggleError(
      `upload of ${id}: Kaggle's client does not say that it is done: ${lastLine(output)}`,
    );
  return url;
}

/** Bytes that are read at once: weights may be larger than a buffer can be. */
const CHUNK = 1 << 24;

/** The first digits of a hash of all files below a folder, by which versions of a data set can be told apart. */
function contentHash(folder: string, names: readonly string[]): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(CHUNK);
  const add = (path: string, name: string): void => {
    hash.update(`${name}\0`);
    if (isFolder(path)) {
      for (const inner of readdirSync(path).sort()) add(join(path, inner), `${name}/${inner}`);
      return;
    }
    const file = openSync(path, 'r');
    try {
      for (let read = readSync(file, buffer); read > 0; read = readSync(file, buffer))
        hash.update(buffer.subarray(0, read));
    } finally {
      closeSync(file);
    }
  };
  for (const name of names) add(join(folder, name), name);
  return hash.digest('hex').slice(0, 12);
}

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

/**
 * Uploads a folder with Kaggle's own command line. The folder itself is not written to.
 * @param notes what is new in this version (default: a hash of the files)
 * @throws {KaggleError} when there are no metadata, or anything was refused or not uploaded
 */
export async function pushDataset(
  folder: string,
  run: RunClient,
  { config, notes }: { config?: KaggleConfig; notes?: string } = {},
): Promise<UploadedDataset> {
  if (!isFolder(folder)) throw new KaggleError(`${folder}: no such folder`);
  const metadata = metadataFor(folder, config);
  const id = String(metadata.id);
  assertOwned(id, folder);
  const all = readdirSync(folder).filter((name) => name !== METADATA && name !== 'kernel-metadata.json');
  const names = all.filter((name) => !TRAINING_ONLY.has(name)).sort();
  if (names.length === 0) throw new KaggleError(`${folder}: nothing to upload`);

  const staged = mkdtempSync(join(tmpdir(), 'arclab-dataset-'));
  try {
    for (const name of names) symlinkSync(resolve(folder, name), join(staged, name));
    writeFileSync(join(staged, METADATA), asciiJson(metadata, 2));
    // folders travel as archives, which Kaggle unpacks
    const options = ['-p', staged, '--dir-mode', 'zip'];
    const isNew = (await run(['datasets', 'status', id])).code !== 0;
    const result = isNew
      ? await run(['datasets', 'create', ...options])
      : await run(['datasets', 'version', ...options, '-m', notes ?? `sha256 ${contentHash(folder, names)}`]);
    return { id, url: readUpload(result, id), isNew, leftOut: all.filter((name) => TRAINING_ONLY.has(name)) };
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
}
