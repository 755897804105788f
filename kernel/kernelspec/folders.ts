import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { UserError } from '../common/errors.js';

/** Where a kernel is installed: for the person, below a folder, or into the Python that is active. */
export type Destination = { kind: 'user' } | { kind: 'prefix'; folder: string } | { kind: 'sys-prefix' };

/** The folder that holds kernelspecs at a destination. @throws {UserError} when there is no active Python */
export function kernelsFolder(destination: Destination): string {
  switch (destination.kind) {
    case 'user':
      return join(userDataFolder(), 'kernels');
    case 'prefix':
      return join(resolve(destination.folder), 'share/jupyter/kernels');
    case 'sys-prefix':
      return join(pythonPrefix(), 'share/jupyter/kernels');
  }
}

/** Every folder where Jupyter looks for kernels, the first has priority. */
export function searchedFolders(): string[] {
  const { JUPYTER_PATH = '', VIRTUAL_ENV, CONDA_PREFIX, PROGRAMDATA } = process.env;
  const environment = VIRTUAL_ENV ?? CONDA_PREFIX;
  const system =
    process.platform === 'win32'
      ? PROGRAMDATA && [join(PROGRAMDATA, 'jupyter')]
      : ['/usr/local/share/jupyter', '/usr/share/jupyter'];
  const folders = [
    ...JUPYTER_PATH.split(delimiter).filter((path) => path !== ''),
    ...(environment ? [join(environment, 'share/jupyter')] : []),
    userDataFolder(),
    ...(system || []),
  ];
  return [...new Set(folders)].map((folder) => join(folder, 'kernels')).filter(existsSync);
}

/** Jupyter's folder of the person, by its own rules. */
function userDataFolder(): string {
  const { JUPYTER_DATA_DIR, APPDATA, XDG_DATA_HOME } = process.env;
  if (JUPYTER_DATA_DIR) return JUPYTER_DATA_DIR;
  if (process.platform === 'darwin') return join(homedir(), 'Library/Jupyter');
  if (process.platform === 'win32' && APPDATA) return join(APPDATA, 'jupyter');
  return join(XDG_DATA_HOME || join(homedir(), '.local/share'), 'jupyter');
}

/** `sys.prefix` of the Python that is active: of a virtual or conda environment, else of `python3`. */
function pythonPrefix(): string {
  const { VIRTUAL_ENV, CONDA_PREFIX } = process.env;
  const active = VIRTUAL_ENV ?? CONDA_PREFIX;
  if (active) return active;
  for (const python of ['python3', 'python']) {
    try {
      return execFileSync(python, ['-c', 'import sys; print(sys.prefix)'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    } catch {
      // the other name is tried
    }
  }
  throw new UserError(
    '--sys-prefix: no python3 was found; activate the environment of Jupyter, or name its folder with --prefix',
  );
}
