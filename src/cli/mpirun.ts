/** @file Starting the processes of a job on this machine with an installed `mpirun`, and what it writes of itself. */
import { execFileSync, spawn } from 'node:child_process';
import { messageOf, UserError } from '../common/errors.js';
import { mpiAdvice } from '../tensors/collective/advice.js';

/** An mpirun that was found. */
export interface Mpirun {
  readonly program: string;
  readonly kind: 'Open MPI' | 'MPICH';
}

/** The mpirun of this machine: ARCLAB_MPIRUN, or the one on the PATH. @throws {UserError} when there is none */
export function findMpirun(): Mpirun {
  const named = process.env.ARCLAB_MPIRUN;
  const failures: string[] = [];
  for (const program of named ? [named] : ['mpirun', 'mpiexec']) {
    try {
      const text = execFileSync(program, ['--version'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      if (/open ?mpi|openrte/i.test(text)) return { program, kind: 'Open MPI' };
      if (/hydra|mpich|intel/i.test(text)) return { program, kind: 'MPICH' };
      failures.push(`${program} is of neither Open MPI nor MPICH`);
    } catch (error) {
      const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT';
      failures.push(isAbsent ? `${program} is not on the PATH` : `${program} failed: ${messageOf(error)}`);
    }
  }
  throw new UserError(`arclab launch starts processes with mpirun, but ${failures.join(', ')}; ${mpiAdvice}`);
}

/** The words that start `processes` times a command. */
export function mpirunWords(
  { kind }: Mpirun,
  processes: number,
  command: readonly string[],
  { isRoot = process.getuid?.() === 0 } = {},
): string[] {
  const own =
    kind === 'Open MPI'
      ? // more processes than cores are allowed, and threads are not bound to one core
        [...(isRoot ? ['--allow-run-as-root'] : []), '--oversubscribe', '--bind-to', 'none']
      : ['-bind-to', 'none'];
  return [...own, '-n', String(processes), ...command];
}

/** Lines of dashes, stars and equal signs that mpirun puts around what it says of itself. */
const FRAME = /^(-{20,}|={20,}|\*{20,})$/;

/**
 * Takes what mpirun says of itself out of what the processes say: a paragraph in a frame becomes nothing, or the one
 * line that says how a rank has ended.
 */
export class MpirunOutput {
  #isFramed = false;
  #paragraph: string[] = [];
  #rest = '';
  #hasTold = false;

  constructor(readonly write: (text: string) => void) {}

  push(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#line(line);
  }

  end(): void {
    if (this.#rest !== '') this.#line(this.#rest);
    this.#rest = '';
    if (this.#isFramed) this.#close();
  }

  #line(line: string): void {
    if (FRAME.test(line.trim())) {
      if (this.#isFramed) this.#close();
      else this.#isFramed = true;
    } else if (this.#isFramed) this.#paragraph.push(line.trim());
    // a note of Open MPI on how often it has said something
    else if (!/^\[[^\]]+:\d+\] (\d+ more process|Set MCA parameter|PMIX ERROR)/.test(line))
      this.write(`${line}\n`);
  }

  #close(): void {
    const told = endOfRank(this.#paragraph.join(' '));
    if (told !== undefined && !this.#hasTold) {
      this.#hasTold = true;
      this.write(`${told}\n`);
    }
    this.#isFramed = false;
    this.#paragraph = [];
  }
}

/** How a rank has ended, if a paragraph of mpirun says it of one that was killed. */
export function endOfRank(text: string): string | undefined {
  const openMpi =
    /process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+)(?: \(([^)]+)\))?/.exec(text);
  if (openMpi) {
    const [, rank, node, signal, name] = openMpi;
    return `error: rank ${rank} (on ${node}) was ended by signal ${signal}${name ? ` (${name})` : ''}; the others were stopped`;
  }
  const mpich = /KILLED BY SIGNAL: (\d+) \(([^)]+)\)/i.exec(text) ?? /EXIT CODE: (9|15)\b()/.exec(text);
  if (!mpich) return undefined;
  return `error: a rank was ended by signal ${mpich[1]}${mpich[2] ? ` (${mpich[2]})` : ''}; the others were stopped`;
}

/**
 * Runs a job to its end. The first Ctrl-C or SIGTERM asks its processes to stop cleanly, the second ends them.
 * @returns the exit code
 */
export async function runJob(mpirun: Mpirun, words: readonly string[]): Promise<number> {
  // in a group of its own: Ctrl-C is for this process, which hands it on in a way that leaves time to stop
  const child = spawn(mpirun.program, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  child.stdout.pipe(process.stdout, { end: false });
  const errors = new MpirunOutput((text) => void process.stderr.write(text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  let isStopping = false;
  const stop = (signal: NodeJS.Signals) => {
    // mpirun ends its processes within a second of a SIGTERM, but hands a SIGUSR2 on
    child.kill(isStopping ? signal : 'SIGUSR2');
    isStopping = true;
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);
  // whatever ends this process ends the job
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? (signal === null ? 1 : 128 + 15)));
    });
  } finally {
    errors.end();
    process.off('SIGINT', stop).off('SIGTERM', stop).off('exit', kill);
  }
}
