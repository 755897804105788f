/** The program in a process of its own, as a person starts it. */
import { spawn } from 'node:child_process';
import { buildFile } from '../../src/common/files.js';

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Both, as they came. */
  readonly output: string;
}

/** Starts `arclab` with these words. @param shell what a shell does before, such as `ulimit -f 1` */
export function launch(words: readonly string[], { shell }: { shell?: string } = {}) {
  const program = [process.execPath, buildFile('arclab.cjs'), ...words];
  const [command, ...args] =
    shell === undefined ? program : ['/bin/sh', '-c', `${shell}; exec "$@"`, 'sh', ...program];
  const child = spawn(command!, args, { env: { ...process.env, VITEST: undefined } });
  const written = { stdout: '', stderr: '', output: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (data) => {
      written[name] += data;
      written.output += data;
    });
  }
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, ...written })),
  );
  return { child, ended, stderr: () => written.stderr, output: () => written.output };
}
