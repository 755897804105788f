import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { assertWritableFolder, temporaryName } from '../../common/files.js';
import { packageOfPython } from '../python.js';
import { TensorFlowBuildError } from './errors.js';
import { addonFingerprint, type BuildRecord, buildsFolder, inspectBuild, libraries } from './locate.js';

/** A package of npm, and the hash that its archive must have. */
interface PinnedPackage {
  name: string;
  version: string;
  integrity: string;
}

/** The sources of the addon, and the kernels on top of it. */
const tfjsNode: PinnedPackage = {
  name: '@tensorflow/tfjs-node',
  version: '4.22.0',
  integrity:
    'sha512-uHrXeUlfgkMxTZqHkESSV7zSdKdV0LlsBeblqkuKU9nnfxB1pC6DtoyYVaLxznzZy7WQSegjcohxxCjAf6Dc7w==',
};
/** What an addon includes of Node; Node itself does not always come with its headers. */
const nodeHeaders: PinnedPackage = {
  name: 'node-api-headers',
  version: '1.9.0',
  integrity:
    'sha512-2oNILP4jXwRB4ywnYKjVk1YyJ96n2D4EOVJO6S3oYZ5PtbJrw3Yt9TpAuX3nBLMuzn74rnfGQrv13pS9vC+YiA==',
};

export interface TensorFlowBuildOptions {
  /** The Python whose TensorFlow is used; the active one unless given. */
  python?: string;
  /** A new folder, or one of an earlier build; a folder of the cache unless given. */
  outputDir?: string;
  /** Told what is done next. */
  onStep?: (text: string) => void;
}

/** The folder with TensorFlow's libraries and headers. @throws when there is none, or none that can be used */
function findLibraries(python: string | undefined): string {
  const name = python ?? 'python3';
  const folder = packageOfPython('tensorflow', python);
  if (!folder) {
    const flag = python ? `--python ${python}` : 'the active Python';
    throw new TensorFlowBuildError(
      `${flag}: no TensorFlow was found; install it with \`${name} -m pip install tensorflow\` (or tensorflow-cpu)`,
    );
  }
  const missing = [...libraries, 'include/tensorflow/c/eager/c_api.h'].find(
    (file) => !existsSync(join(folder, file)),
  );
  if (!missing) return folder;
  throw new TensorFlowBuildError(
    `${folder}: this TensorFlow has no ${missing}, as the 2.x packages of pip for Linux have it; install a newer one`,
  );
}

/** The compiler's command. @throws when there is none */
function findCompiler(): string {
  const candidates = process.env.CXX ? [process.env.CXX] : ['g++', 'clang++', 'c++'];
  const found = candidates.find((command) => spawnSync(command, ['--version']).status === 0);
  if (found) return found;
  throw new TensorFlowBuildError(
    `no C++ compiler was found (looked for ${candidates.join(', ')}); install one, on Debian with \`apt-get install g++\`, or name it in CXX`,
  );
}

/** The last line of what a command said that is not empty. */
function lastLine({ stderr, stdout, error }: SpawnSyncReturns<string>): string {
  const lines = `${stdout ?? ''}\n${stderr ?? ''}`.split('\n').filter((line) => line.trim() !== '');
  return error?.message ?? lines.at(-1) ?? 'it said nothing';
}

/** Downloads a package with npm, checks its hash and unpacks it as `folder`. */
function fetchPackage({ name, version, integrity }: PinnedPackage, folder: string): void {
  const downloads = join(dirname(folder), 'downloads');
  mkdirSync(downloads, { recursive: true });
  const spec = `${name}@${version}`;
  const command = ['pack', spec, '--silent', '--pack-destination', downloads];
  const result = spawnSync('npm', command, { encoding: 'utf8', cwd: downloads });
  if (result.status !== 0) {
    throw new TensorFlowBuildError(`npm could not download ${spec}: ${lastLine(result)}`);
  }
  const archive = join(downloads, result.stdout.trim().split('\n').at(-1) as string);
  const hash = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (hash !== integrity) {
    throw new TensorFlowBuildError(`${spec}: what npm downloaded has another hash than expected: ${hash}`);
  }
  mkdirSync(folder);
  execFileSync('tar', ['-xzf', archive, '-C', folder, '--strip-components=1']);
  rmSync(downloads, { recursive: true });
}

/** Compiles the addon; the same inputs give the same bytes. */
function compile(folder: string, compiler: string, libraryFolder: string): void {
  // names below the folder, and no trace of where it is
  const command = ['-std=c++17', '-O2', '-fPIC', '-shared', '-DNAPI_VERSION=8', '-o', 'tfjs_binding.node'];
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join('package/binding', name));
  command.push('-Iheaders/include', '-Ipackage', `-I${join(libraryFolder, 'include')}`, ...sources);
  command.push(`-L${libraryFolder}`, ...libraries.map((name) => `-l:${name}`), `-Wl,-rpath,${libraryFolder}`);
  const result = spawnSync(compiler, command, { cwd: folder, encoding: 'utf8' });
  if (result.status === 0) return;
  const line = result.stderr?.split('\n').find((text) => text.includes('error')) ?? lastLine(result);
  throw new TensorFlowBuildError(`${compiler} could not compile the addon against ${libraryFolder}: ${line}`);
}

/** Loads the addon in another process. @returns the version of TensorFlow */
function tryAddon(addon: string): string {
  const script = 'process.stdout.write(require(process.argv[1]).TF_Version)';
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3' };
  const result = spawnSync(process.execPath, ['-e', script, addon], { encoding: 'utf8', env });
  if (result.status === 0 && result.stdout) return result.stdout;
  const line = result.stderr?.split('\n').find((text) => text.startsWith('Error:')) ?? lastLine(result);
  throw new TensorFlowBuildError(`the addon was built, but cannot be loaded: ${line}`);
}

/**
 * Builds the addon of tfjs-node against the TensorFlow of a Python, in a folder of its own where the `tensorflow`
 * backend finds it. It appears there whole or not at all.
 * @returns the folder and TensorFlow's version
 * @throws {TensorFlowBuildError} saying in one line what is missing
 */
export function buildTensorFlowAddon({ python, outputDir, onStep = () => {} }: TensorFlowBuildOptions): {
  folder: string;
  version: string;
} {
  if (process.platform !== 'linux') {
    throw new TensorFlowBuildError(
      `arclab tensorflow build: expected Linux, this is ${process.platform}; install @tensorflow/tfjs-node instead`,
    );
  }
  const libraryFolder = resolve(findLibraries(python));
  const compiler = findCompiler();
  const key = createHash('sha256').update(libraryFolder).digest('hex').slice(0, 12);
  const folder = resolve(outputDir ?? join(buildsFolder(), key));
  if (existsSync(folder) && !inspectBuild(folder)) {
    throw new TensorFlowBuildError(`--output-dir: ${folder} exists, and it is no earlier build`);
  }
  assertWritableFolder(dirname(folder), '--output-dir');
  const temporary = temporaryName(folder);
  mkdirSync(temporary, { recursive: true });
  try {
    onStep(`downloading ${tfjsNode.name} ${tfjsNode.version}`);
    fetchPackage(tfjsNode, join(temporary, 'package'));
    fetchPackage(nodeHeaders, join(temporary, 'headers'));
    onStep(`compiling its addon against ${libraryFolder}`);
    compile(temporary, compiler, libraryFolder);
    const version = tryAddon(join(temporary, 'tfjs_binding.node'));
    keepWhatIsNeeded(temporary);
    const fingerprint = addonFingerprint(libraryFolder) as string;
    const record: BuildRecord = { tfjsNode: tfjsNode.version, version, libraryFolder, fingerprint };
    writeFileSync(join(temporary, 'build.json'), `${JSON.stringify(record, null, 2)}\n`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(temporary, folder);
    return { folder, version };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Leaves tfjs-node's JavaScript, and empty modules under the names of the copy of tfjs that it would bring along. */
function keepWhatIsNeeded(folder: string): void {
  const [all, kept] = [join(folder, 'package'), join(folder, 'kept')];
  for (const name of ['dist', 'LICENSE', 'package.json']) {
    if (existsSync(join(all, name))) cpSync(join(all, name), join(kept, name), { recursive: true });
  }
  rmSync(all, { recursive: true });
  rmSync(join(folder, 'headers'), { recursive: true });
  renameSync(kept, all);
  for (const name of ['tfjs', 'tfjs-core']) {
    const stand = join(folder, 'node_modules/@tensorflow', name);
    mkdirSync(stand, { recursive: true });
    writeFileSync(
      join(stand, 'index.js'),
      '// arclab puts its own copy of tfjs here when it loads the kernels\n',
    );
  }
}
