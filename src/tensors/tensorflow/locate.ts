import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { packageRoot } from '../../common/files.js';
import { packageOfPython } from '../python.js';
import { TensorFlowNotFoundError } from './errors.js';

/** What to do when there is none. */
const tensorFlowAdvice =
  'run `arclab tensorflow build` to build the addon against the TensorFlow of your Python, or install @tensorflow/tfjs-node';

/** TensorFlow's C interface and what it stands on, as pip installs them. */
export const libraries = ['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'] as const;

/** What `build.json` says of an addon that was built here. */
export interface BuildRecord {
  /** The version of tfjs-node whose sources were compiled. */
  tfjsNode: string;
  /** What TensorFlow calls its version. */
  version: string;
  /** The folder of the libraries that the addon was linked with. */
  libraryFolder: string;
  /** Size and time of the libraries, by which another TensorFlow in the same place is noticed. */
  fingerprint: string;
}

/** An addon that was found. */
export interface TensorFlowInstallation {
  /** The compiled addon. */
  readonly addon: string;
  /** The folder with tfjs-node's `dist/`. */
  readonly packageFolder: string;
  readonly description: string;
  /** Why it cannot be used, when it cannot. */
  readonly refused?: string;
}

/** Where builds are kept unless told otherwise. */
export function buildsFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'arclab', 'tensorflow');
}

/** Size and time of the libraries in a folder; undefined where one is missing. */
export function addonFingerprint(libraryFolder: string): string | undefined {
  try {
    const parts = libraries.map((name) => statSync(join(libraryFolder, name)));
    return parts.map(({ size, mtimeMs }) => `${size}@${Math.floor(mtimeMs)}`).join(' ');
  } catch {
    return undefined;
  }
}

/** Reads a folder that `arclab tensorflow build` made; null when it is none. */
export function inspectBuild(folder: string): TensorFlowInstallation | null {
  let record: BuildRecord;
  try {
    record = JSON.parse(readFileSync(join(folder, 'build.json'), 'utf8'));
  } catch {
    return null;
  }
  const { version, libraryFolder, fingerprint } = record;
  const found = {
    addon: resolve(folder, 'tfjs_binding.node'),
    packageFolder: resolve(folder, 'package'),
    description: `TensorFlow ${version} (${libraryFolder}), addon in ${folder}`,
  };
  const now = addonFingerprint(libraryFolder);
  if (now === fingerprint) return found;
  const what = now === undefined ? 'is gone' : 'has changed since';
  return {
    ...found,
    refused: `the addon in ${folder} was built for TensorFlow ${version} in ${libraryFolder}, which ${what}`,
  };
}

/** An installed tfjs-node or tfjs-node-gpu whose install script brought its own addon. */
function inspectPackage(name: string, from: string): TensorFlowInstallation | null {
  let folder: string;
  try {
    folder = dirname(createRequire(join(from, 'arclab.js')).resolve(`${name}/package.json`));
  } catch {
    return null;
  }
  const library = join(folder, 'lib');
  const versions = existsSync(library) ? readdirSync(library) : [];
  const addon = versions
    .map((version) => join(library, version, 'tfjs_binding.node'))
    .find((path) => existsSync(path));
  if (!addon) return null;
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
  return { addon, packageFolder: folder, description: `${name} ${version} (${folder})` };
}

let known: readonly TensorFlowInstallation[] | undefined;

/**
 * Every addon that is found, best first: ARCLAB_TENSORFLOW (a folder of `arclab tensorflow build`, and then nothing
 * else is looked at), builds in the cache, latest first, tfjs-node-gpu and tfjs-node installed beside arclab or in
 * the current folder.
 */
function findTensorFlow(): readonly TensorFlowInstallation[] {
  known ??= searchTensorFlow(process.env);
  return known;
}

/** What {@link findTensorFlow} finds, looked for anew. */
export function searchTensorFlow(environment: NodeJS.ProcessEnv): readonly TensorFlowInstallation[] {
  const given = environment.ARCLAB_TENSORFLOW;
  if (given) {
    const refused = `ARCLAB_TENSORFLOW: expected a folder made by \`arclab tensorflow build\`, found no build.json in ${given}`;
    return [inspectBuild(given) ?? { addon: '', packageFolder: given, description: given, refused }];
  }
  const builds = buildsFolder(environment);
  const folders = (existsSync(builds) ? readdirSync(builds) : [])
    // a build that was interrupted has a temporary name
    .filter((name) => !name.includes('.tmp-'))
    .map((name) => join(builds, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  const packages = [packageRoot(), process.cwd()].flatMap((from) =>
    ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'].map((name) => inspectPackage(name, from)),
  );
  const found = [...folders.map(inspectBuild), ...packages].filter((one) => one !== null);
  const seen = new Set<string>();
  return found.filter(({ addon }) => !seen.has(addon) && seen.add(addon));
}

/** The addon to use. @throws {TensorFlowNotFoundError} saying what was found and why it was refused */
export function requireTensorFlow(): TensorFlowInstallation {
  const found = findTensorFlow();
  const usable = found.find(({ refused }) => refused === undefined);
  if (usable) return usable;
  const reason = found[0]?.refused ?? '`backend: tensorflow`: no addon was found';
  throw new TensorFlowNotFoundError(`${reason}; ${tensorFlowAdvice}`);
}

/** Whether an addon that can be used is on this machine. */
export function tensorFlowIsPresent(): boolean {
  return findTensorFlow().some(({ refused }) => refused === undefined);
}

/** The version of a Python package `tensorflow`, by what pip wrote beside it; undefined where it wrote nothing. */
function versionOfPackage(folder: string): string | undefined {
  const pattern = /^(?:tensorflow(?:_cpu|_gpu|_rocm)?|tf_nightly(?:_cpu)?)-(.+)\.dist-info$/;
  return readdirSync(dirname(folder)).flatMap((name) => pattern.exec(name)?.[1] ?? [])[0];
}

/** What was found of TensorFlow, for `arclab doctor`. */
export function describeTensorFlow(): { found: string; advice?: string } {
  const found = findTensorFlow().map(({ description, refused }) => refused ?? description);
  if (tensorFlowIsPresent()) return { found: found.join('; ') };
  const folder = packageOfPython('tensorflow');
  const unused = folder
    ? `the active Python has TensorFlow ${versionOfPackage(folder) ?? 'of unknown version'} (${folder}), and no addon is built for it`
    : 'no addon found, and the active Python has no TensorFlow';
  return { found: [...found, unused].join('; '), advice: tensorFlowAdvice };
}
