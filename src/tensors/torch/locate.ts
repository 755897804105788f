import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageOfPython } from '../python.js';
import { TorchNotFoundError } from './errors.js';

/** The first release with everything that we call. */
const TORCH_FLOOR = [2, 10] as const;

/** What to do when there is none. */
export const torchAdvice = `install PyTorch ${TORCH_FLOOR.join('.')} or later for the active Python, or name its folder in ARCLAB_LIBTORCH`;

/** A libtorch that was found. */
export interface TorchInstallation {
  /** The folder of libtorch_cpu.so. */
  readonly libraryFolder: string;
  readonly version: string;
  /** How it was found: a variable, the active Python, or a well-known place. */
  readonly source: string;
  /** Why it cannot be used, when it cannot. */
  readonly refused?: string;
}

/** Reads a torch package (or a libtorch archive): its `lib` folder and its version. */
export function inspectTorchFolder(folder: string, source: string): TorchInstallation | null {
  const libraryFolder = [folder, join(folder, 'lib')].find((candidate) =>
    ['libtorch_cpu.so', 'libtorch_cpu.dylib'].some((name) => existsSync(join(candidate, name))),
  );
  if (!libraryFolder) return null;
  const version = readVersion(dirname(libraryFolder)) ?? 'unknown';
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const [floorMajor, floorMinor] = TORCH_FLOOR;
  const recent = major > floorMajor || (major === floorMajor && minor >= floorMinor);
  const base = { libraryFolder, version, source };
  if (version === 'unknown')
    return {
      ...base,
      refused: 'its version cannot be told: expected version.py or build-version beside lib/',
    };
  return recent
    ? base
    : { ...base, refused: `torch ${version} is too old: ${TORCH_FLOOR.join('.')} or later is needed` };
}

/** The version that a Python package or a libtorch archive states of itself. */
function readVersion(root: string): string | undefined {
  try {
    return /__version__ = ['"]([^'"]+)/.exec(readFileSync(join(root, 'version.py'), 'utf8'))?.[1];
  } catch {
    // an archive without Python has a file of its own
  }
  try {
    return readFileSync(join(root, 'build-version'), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Places where Python packages lie when no Python is active. */
function wellKnownPlaces(): string[] {
  const roots = ['/usr/local/lib', '/usr/lib', '/opt/conda/lib', join(homedir(), '.local/lib')];
  return roots.flatMap((root) => {
    if (!existsSync(root)) return [];
    return readdirSync(root)
      .filter((name) => /^python3/.test(name))
      .flatMap((name) => ['site-packages', 'dist-packages'].map((kind) => join(root, name, kind, 'torch')));
  });
}

let known: readonly TorchInstallation[] | undefined;

/**
 * Every libtorch that is found, best first: ARCLAB_LIBTORCH (a torch package or its lib folder, and then nothing
 * else is looked at), the active Python's, well-known places.
 */
export function findTorch(): readonly TorchInstallation[] {
  known ??= search();
  return known;
}

function search(): readonly TorchInstallation[] {
  const given = process.env.ARCLAB_LIBTORCH;
  if (given) {
    const refused = 'expected a torch package or its lib folder, found no libtorch_cpu there';
    const missing = { libraryFolder: given, version: 'unknown', source: 'ARCLAB_LIBTORCH', refused };
    return [inspectTorchFolder(given, 'ARCLAB_LIBTORCH') ?? missing];
  }
  const ofPython = packageOfPython('torch');
  const found = [
    ofPython ? inspectTorchFolder(ofPython, 'the active Python') : null,
    ...wellKnownPlaces().map((place) => inspectTorchFolder(place, 'a well-known place')),
  ].filter((installation) => installation !== null);
  const seen = new Set<string>();
  return found.filter(({ libraryFolder }) => !seen.has(libraryFolder) && seen.add(libraryFolder));
}

/** The libtorch to use. @throws {TorchNotFoundError} saying what was found and why it was refused */
export function requireTorch(): TorchInstallation {
  const found = findTorch();
  const usable = found.find(({ refused }) => refused === undefined);
  if (usable) return usable;
  const [first] = found;
  throw new TorchNotFoundError(
    first
      ? `${first.libraryFolder}: ${first.refused}; ${torchAdvice}`
      : `\`backend: torch\`: no PyTorch was found; ${torchAdvice}`,
  );
}

/** Whether a libtorch that can be used is on this machine. */
export function torchIsPresent(): boolean {
  return findTorch().some(({ refused }) => refused === undefined);
}

/** What was found of PyTorch, for `arclab doctor`. */
export function describeTorch(): { found: string; advice?: string } {
  const found = findTorch().map(
    ({ libraryFolder, version, source, refused }) =>
      `${refused ?? `torch ${version}`} (${source}: ${libraryFolder})`,
  );
  if (torchIsPresent()) return { found: found.join('; ') };
  return { found: found.join('; ') || 'no PyTorch found', advice: torchAdvice };
}
