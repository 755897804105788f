/** @file Processes one after the other, each ended at its limit; what they print is on disk as soon as it is printed. */
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

/** A part as a process. */
export interface Task {
  readonly name: string;
  readonly title: string;
  readonly limit: number;
  readonly command: readonly [string, ...string[]];
}

/** How a part ended: `short` has told what falls short itself. */
export type Ending = 'holds' | 'short' | 'broke' | 'limit' | 'not run';

/** Exit codes of a part: an error that nobody caught has 1. */
export const exitCodes = { holds: 0, short: 3 } as const;

export interface SuperviseOptions {
  /** A file that everything printed is appended to. */
  readonly output?: string | undefined;
  /** Seconds for all. */
  readonly total: number;
  readonly print?: (text: string) => void;
}

/** A part is not begun with less time than this. */
const LEAST_SECONDS = 5;

/**
 * Runs parts in their order. One that hangs is ended, with the processes that it started, and the next one runs; a
 * kill of this process at any moment leaves in the file what was printed before.
 */
export async function supervise(
  tasks: readonly Task[],
  { output, total, print = (text) => process.stdout.write(text) }: SuperviseOptions,
): Promise<Map<string, Ending>> {
  const began = performance.now();
  const say = (text: string): void => {
    if (output) appendFileSync(output, text);
    print(text);
  };
  const endings = new Map<string, Ending>();
  for (const task of tasks) {
    const left = total - (performance.now() - began) / 1000;
    if (left < LEAST_SECONDS) {
      say(`\n${task.name}: NOT RUN: the ${total} s for all parts are over\n`);
      endings.set(task.name, 'not run');
      continue;
    }
    const limit = Math.min(task.limit, left);
    const start = performance.now();
    say(`\n${task.name}: ${task.title}\n`);
    const ending = await runOne(task, limit, say);
    endings.set(task.name, ending);
    if (ending === 'limit') say(`BROKE: ${task.name}: ended after its limit of ${limit.toFixed(0)} s\n`);
    if (ending === 'broke') say(`BROKE: ${task.name}\n`);
    say(`  (${((performance.now() - start) / 1000).toFixed(1)} s)\n`);
  }
  const bad = [...endings].filter(([, ending]) => ending !== 'holds');
  say(bad.length === 0 ? '\neverything holds\n' : `\n${bad.map((one) => one.join(': ')).join(', ')}\n`);
  return endings;
}

/** Processes that run now: with a group of their own, a signal to this one does not reach them. */
const running = new Set<number>();
const endGroup = (pid: number): void => {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
};

/** Ends what runs when this process is asked to end. */
export function endTogether(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      for (const pid of running) endGroup(pid);
      process.exit(128 + 15);
    });
  }
}

async function runOne(
  { command: [program, ...args] }: Task,
  limit: number,
  say: (text: string) => void,
): Promise<Ending> {
  // a group of its own: a reference that hangs is ended with the part that asked for it
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid } = child;
  if (pid !== undefined) running.add(pid);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => say(text));
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    if (pid !== undefined) endGroup(pid);
  }, limit * 1000);
  try {
    const code = await new Promise<number | null>((resolve) => {
      child.on('error', (error) => {
        say(`${error.message}\n`);
        resolve(null);
      });
      child.on('close', resolve);
    });
    if (isLate) return 'limit';
    return code === exitCodes.holds ? 'holds' : code === exitCodes.short ? 'short' : 'broke';
  } finally {
    clearTimeout(timer);
    if (pid !== undefined) {
      running.delete(pid);
      endGroup(pid);
    }
  }
}
