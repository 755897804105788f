import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The kernel, installed below a temporary prefix. */
export interface Installed {
  prefix: string;
  /** The environment in which Jupyter finds it and nothing of the person's. */
  env: NodeJS.ProcessEnv;
  remove(): void;
}

/** Runs `arclab kernel install` with a prefix of its own. */
export function installKernel(...flags: string[]): Installed {
  const prefix = mkdtempSync(join(tmpdir(), 'arclab-prefix-'));
  const cli = fileURLToPath(new URL('../../dist/arclab.cjs', import.meta.url));
  execFileSync(process.execPath, [cli, 'kernel', 'install', '--prefix', prefix, ...flags]);
  const env = {
    ...process.env,
    JUPYTER_PATH: join(prefix, 'share/jupyter'),
    JUPYTER_DATA_DIR: join(prefix, 'data'),
    JUPYTER_CONFIG_DIR: join(prefix, 'config'),
    JUPYTER_RUNTIME_DIR: join(prefix, 'runtime'),
    IPYTHONDIR: join(prefix, 'ipython'),
  };
  return { prefix, env, remove: () => rmSync(prefix, { recursive: true, force: true }) };
}
