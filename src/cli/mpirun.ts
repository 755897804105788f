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

/** Lines beside its paragraphs: how often Open MPI has said something, and what hydra says after each end. */
const CHATTER = [
  /^\[[^\]]+:\d+\] (\d+ more process|Set MCA parameter|PMIX ERROR)/,
  /^YOUR APPLICATION TERMINATED WITH THE EXIT STRING: /,
  /^This typically refers to a problem with your application\.$/,
  /^Please see the FAQ page for debugging suggestions$/,
];

/**
 * Takes what mpirun says of itself out of what the processes say: a paragraph in a frame becomes nothing, or the one
 * line that says how a rank has ended.
 */
export class MpirunOutput {
  #isFramed = false;
  #paragraph: string[] = [];
  #rest = '';
  #hasTold = false;

  /** @param tell takes the line that says how a rank has ended */
  constructor(
    readonly write: (text: string) => void,
    readonly tell: (text: string) => void = write,
  ) {}

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
    else if (!CHATTER.some((pattern) => pattern.test(line))) this.write(`${line}\n`);
  }

  #close(): void {
    const told = endOfRank(this.#paragraph.join(' '));
    if (told !== undefined && !this.#hasTold) {
      this.#hasTold = true;
      this.tell(`${told}\n`);
    }
    this.#isFramed = false;
    this.#paragraph = [];
  }
}

/** How a rank has ended, if a paragraph of mpirun says it of one that was killed. */
function endOfRank(text: string): string | undefined {
  const openMpi =
    /process rank (\d+) with PID \d+ on node (\S+) exited on signal (\d+)(?: \(([^)]+)\))?/.exec(text);
  if (openMpi) {
    const [, rank, node, signal, name] = openMpi;
    return `error: rank ${rank} (on ${node}) was ended by signal ${signal}${name ? ` (${name})` : ''}; the others were stopped`;
  }
  // MPICH's hydra has no signals in its paragraph, but their numbers as exit codes; Intel's has their names
  const hydra =
    /KILLED BY SIGNAL: (\d+) \(([^)]+)\)/i.exec(text) ?? /EXIT CODE: (6|7|8|9|11|15)\b/.exec(text);
  if (!hydra) return undefined;
  const [, signal, name] = hydra;
  const [, pid, node] = /PID (\d+) RUNNING AT (\S+)/.exec(text) ?? [];
  const which = pid === undefined ? '' : ` (process ${pid} on ${node})`;
  return `error: a rank${which} was ended by signal ${signal}${name ? ` (${name})` : ''}; the others were stopped`;
}

/**
 * Runs a job to its end. The first Ctrl-C or SIGTERM asks its processes to stop cleanly, the second ends them.
 * @returns the exit code
 */
export async function runJob(mpirun: Mpirun, words: readonly string[]): Promise<number> {
  // in a group of its own: Ctrl-C is for this process, which hands it on in a way that leaves time to stop
  const child = spawn(mpirun.program, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const tell = (text: string) => void process.stderr.write(text);
  const errors = new MpirunOutput(tell);
  // hydra says how a process has ended among what the processes print
  const output = new MpirunOutput((text) => void process.stdout.write(text), tell);
  child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  if (mpirun.kind === 'Open MPI') child.stdout.pipe(process.stdout, { end: false });
  else child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text));
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
    output.end();
    process.off('SIGINT', stop).off('SIGTERM', stop).off('exit', kill);
  }
}
