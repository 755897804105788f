import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installKernel } from '../installed.js';
import { freePorts } from '../jupyter/client.js';

/** A JupyterLab of its own, with the kernel and one notebook. */
export interface JupyterLab {
  url: string;
  stop(): Promise<void>;
}

export interface LabOptions {
  /** A folder with extensions of JupyterLab beside those of its Python. */
  extensions?: string;
  /** Files beside the notebook, by name. */
  files?: Record<string, string>;
}

/** Starts JupyterLab for a folder with `experiment.ipynb`. */
export async function startJupyterLab(
  python: string,
  notebook: object,
  { extensions, files = {} }: LabOptions = {},
): Promise<JupyterLab> {
  const installed = installKernel();
  const folder = mkdtempSync(join(tmpdir(), 'arclab-lab-'));
  writeFileSync(join(folder, 'experiment.ipynb'), JSON.stringify(notebook));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  // no question about news, which would cover the page
  const settings = join(installed.prefix, 'settings/@jupyterlab/apputils-extension');
  mkdirSync(settings, { recursive: true });
  writeFileSync(
    join(settings, 'notification.jupyterlab-settings'),
    '{ "fetchNews": "false", "checkForUpdates": false }',
  );
  const [port] = await freePorts(1);
  const flags = ['--no-browser', '--ServerApp.ip=127.0.0.1', `--ServerApp.port=${port}`, '--allow-root'];
  const open = [
    '--IdentityProvider.token=',
    '--ServerApp.disable_check_xsrf=True',
    `--ServerApp.root_dir=${folder}`,
    ...(extensions === undefined ? [] : [`--LabApp.extra_labextensions_path=${extensions}`]),
  ];
  const lab: ChildProcess = spawn(python, ['-m', 'jupyterlab', ...flags, ...open], {
    env: {
      ...installed.env,
      JUPYTERLAB_SETTINGS_DIR: join(installed.prefix, 'settings'),
      JUPYTERLAB_WORKSPACES_DIR: join(installed.prefix, 'workspaces'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [lab.stdout!, lab.stderr!]) {
    stream.on('data', (data: Buffer) => {
      log += data.toString();
    });
  }
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    if (lab.exitCode !== null || tries > 240) throw new Error(`JupyterLab did not start:\n${log}`);
    const isUp = await fetch(`${url}/api`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) break;
    await sleep(250);
  }
  const exited = new Promise((resolve) => lab.on('exit', resolve));
  return {
    url,
    async stop() {
      lab.kill('SIGTERM');
      const patience = setTimeout(() => lab.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(patience);
      installed.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
