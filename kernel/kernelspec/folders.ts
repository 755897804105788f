import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { UserError } from '../../src/common/errors.js';

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

/** The folders where Jupyter looks for kernels, those that do not exist too; the first has priority. */
export function searchedFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  const active = [env.VIRTUAL_ENV, env.CONDA_PREFIX].filter((prefix) => prefix !== undefined);
  const prefixes = [...active, ...prefixesOnPath(env)].map((prefix) => join(prefix, 'share/jupyter'));
  const user = userDataFolder(env);
  const system =
    process.platform === 'win32'
      ? [join(env.PROGRAMDATA ?? 'C:\\ProgramData', 'jupyter')]
      : ['/usr/local/share/jupyter', '/usr/share/jupyter'];
  // as Jupyter does: the kernels of an active environment come before the person's
  const own = active.length > 0 ? [...prefixes, user] : [user, ...prefixes];
  const given = (env.JUPYTER_PATH ?? '').split(delimiter).filter((path) => path !== '');
  return [...new Set([...given, ...own, ...system])].map((path) => join(path, 'kernels'));
}

/** Where the `jupyter` or `python3` of the command line lives: Jupyter would call it `sys.prefix`. */
function prefixesOnPath(env: NodeJS.ProcessEnv): string[] {
  const names = process.platform === 'win32' ? ['jupyter.exe', 'python.exe'] : ['jupyter', 'python3'];
  const folders = (env.PATH ?? '').split(delimiter).filter((path) => path !== '');
  return names.flatMap((name) => {
    const folder = folders.find((path) => existsSync(join(path, name)));
    return folder === undefined ? [] : [dirname(folder)];
  });
}

/** Jupyter's folder of the person, by its own rules. */
export function userDataFolder(env: NodeJS.ProcessEnv = process.env, platform = process.platform): string {
  const { JUPYTER_DATA_DIR, APPDATA, XDG_DATA_HOME } = env;
  const home = env.HOME ?? homedir();
  if (JUPYTER_DATA_DIR) return JUPYTER_DATA_DIR;
  if (platform === 'darwin') return join(home, 'Library/Jupyter');
  if (platform === 'win32' && APPDATA) return join(APPDATA, 'jupyter');
  return join(XDG_DATA_HOME || join(home, '.local/share'), 'jupyter');
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
