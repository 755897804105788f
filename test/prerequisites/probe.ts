import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { webGpuIsPresent } from '../../src/tensors/webgpu/locate.js';

/** What some tests need beside Node, and how a person gets it. */
export const prerequisites = {
  torch: 'PyTorch: pip install torch, then ARCLAB_LIBTORCH=<site-packages>/torch',
  tensorflow: 'TensorFlow: pip install tensorflow-cpu, then `npx arclab tensorflow build --python <python>`',
  webgpu:
    "the package webgpu, and a driver of Vulkan in software: Debian's chromium, or VK_ICD_FILENAMES=<vk_swiftshader_icd.json>",
  python: 'Python 3 on the PATH, or ARCLAB_JUPYTER_PYTHON=<python>',
  'python with torch': 'a Python that imports torch: ARCLAB_PYTHON=<python>',
  'python with peft': 'a Python that imports torch, transformers and peft: ARCLAB_PYTHON=<python>',
  jupyter_client: 'pip install jupyter_client, then ARCLAB_JUPYTER_PYTHON=<python>',
  nbformat: 'pip install nbformat, then ARCLAB_JUPYTER_PYTHON=<python>',
  nbclient: 'pip install nbclient, then ARCLAB_JUPYTER_PYTHON=<python>',
  ipykernel: 'pip install ipykernel, then ARCLAB_JUPYTER_PYTHON=<python>',
  jupyterlab: 'pip install jupyterlab, then ARCLAB_JUPYTER_PYTHON=<python>',
  ipywidgets: 'pip install ipywidgets, then ARCLAB_JUPYTER_PYTHON=<python>',
  yaml: 'pip install pyyaml, then ARCLAB_JUPYTER_PYTHON=<python>',
  jupyter_console: 'pip install jupyter_console, then ARCLAB_JUPYTER_PYTHON=<python>',
  jupyter_kernel_test:
    "pip install jupyter_kernel_test, or Debian's python3-jupyter-kernel-test on PYTHONPATH",
  tensorboard: 'pip install tensorboard, then ARCLAB_JUPYTER_PYTHON=<python>',
  'redis-server': "Redis 6.2 or newer: Debian's redis-server, or ARCLAB_REDIS_SERVER=<executable>",
  browser: 'chromium on the PATH, or ARCLAB_CHROMIUM=<executable>',
  deno: 'npm install -g deno, or ARCLAB_DENO=<executable>',
  bun: 'npm install -g bun, or ARCLAB_BUN=<executable>',
  mpirun: "Open MPI: Debian's openmpi-bin and libopenmpi3, or ARCLAB_MPIRUN=<executable>",
  'c compiler': "Debian's gcc and libc6-dev, or CC=<executable>",
} as const;

export type Prerequisite = keyof typeof prerequisites;

/** Modules of a Python that tests ask for by name. */
export const pythonModules = [
  'jupyter_client',
  'nbformat',
  'nbclient',
  'ipykernel',
  'jupyterlab',
  'ipywidgets',
  'yaml',
  'jupyter_console',
  'jupyter_kernel_test',
  'tensorboard',
] as const satisfies readonly Prerequisite[];

/** The file of a program: what `variable` names, else the first of `names` on the PATH. */
export function findExecutable(variable: string, ...names: string[]): string | undefined {
  const named = process.env[variable];
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = named ? [named] : names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Which of `modules` a Python finds, without importing them; undefined when there is no such Python. */
function findModules(python: string, modules: readonly string[]): string[] | undefined {
  const code =
    'import importlib.util as u, json, lzma, sys; print(json.dumps([m for m in sys.argv[1:] if u.find_spec(m)]))';
  try {
    const output = execFileSync(python, ['-W', 'ignore', '-c', code, ...modules], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return JSON.parse(output) as string[];
  } catch {
    return undefined;
  }
}

/** SwiftShader, a driver of Vulkan that computes on the processor, as chromium brings it along. */
function findSoftwareDriver(browser: string | undefined): string | undefined {
  const named = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  // the program on the PATH may be a script that starts the one in this folder
  const folders = browser ? [dirname(realpathSync(browser)), '/usr/lib/chromium'] : [];
  const files = folders.map((folder) => join(folder, 'vk_swiftshader_icd.json'));
  return webGpuIsPresent() ? (named ?? files.find(existsSync)) : undefined;
}

/** The programs that were found, by prerequisite; backends are looked for by the library itself. */
export type Found = Partial<Record<Prerequisite, string>>;

/** Looks at this machine, once for a whole run of the tests. */
export function probeMachine(): Found {
  const found: Found = {};
  const python = process.env.ARCLAB_JUPYTER_PYTHON ?? 'python3';
  const modules = findModules(python, pythonModules);
  if (modules) {
    found.python = python;
    for (const name of pythonModules) if (modules.includes(name)) found[name] = python;
  }
  const torchPython = process.env.ARCLAB_PYTHON ?? 'python3';
  const learning = findModules(torchPython, ['torch', 'transformers', 'peft']) ?? [];
  if (learning.includes('torch')) found['python with torch'] = torchPython;
  if (learning.length === 3) found['python with peft'] = torchPython;
  found.browser = findExecutable('ARCLAB_CHROMIUM', 'chromium', 'chromium-browser', 'google-chrome');
  found.webgpu = findSoftwareDriver(found.browser);
  found['redis-server'] = findExecutable('ARCLAB_REDIS_SERVER', 'redis-server', 'valkey-server');
  found.deno = findExecutable('ARCLAB_DENO', 'deno');
  found.bun = findExecutable('ARCLAB_BUN', 'bun');
  found.mpirun = findExecutable('ARCLAB_MPIRUN', 'mpirun');
  found['c compiler'] = findExecutable('CC', 'gcc', 'cc');
  return found;
}

/** The file in a run's folder that collects what is absent, a line of JSON for each test file and prerequisite. */
export const ABSENCES = 'absences.jsonl';

export interface Absence {
  name: Prerequisite;
  /** Relative to the folder of the package. */
  testFile: string;
}
