/** The processes that a process has started, and those that they have started, on every system. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What is asked of the operating system; tests put others in its place. */
export interface ProcessSystem {
  platform: NodeJS.Platform;
  kill(pid: number, signal: NodeJS.Signals): void;
  /** Runs a program and gives what it prints. */
  run(program: string, args: readonly string[]): string;
}

const real: ProcessSystem = {
  platform: process.platform,
  kill: (pid, signal) => void process.kill(pid, signal),
  run: (program, args) =>
    execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], windowsHide: true }),
};

/** Ends a process and all below it. On Windows, which has no signals, by `taskkill`. */
export function endProcessTree(pid: number, signal: NodeJS.Signals, system = real): void {
  if (system.platform === 'win32') {
    attempt(() => system.run('taskkill', ['/PID', String(pid), '/T', '/F']));
    return;
  }
  signalDescendants(signal, pid, system);
  attempt(() => system.kill(pid, signal));
}

/**
 * Sends a signal to the processes below a process, the last ones first, as a terminal does. Those that lead a group of
 * their own are spared with all below them: they were started to outlive it. On Windows nothing happens.
 */
export function signalDescendants(signal: NodeJS.Signals, pid = process.pid, system = real): void {
  if (system.platform === 'win32') return;
  const childrenOf = system.platform === 'linux' ? readProc : readTable(system);
  const visit = (parent: number) => {
    for (const { pid: child, group } of childrenOf(parent)) {
      if (group === child) continue;
      visit(child);
      attempt(() => system.kill(child, signal));
    }
  };
  visit(pid);
}

interface ProcessEntry {
  pid: number;
  /** The group that it belongs to. */
  group: number;
}

function readProc(pid: number): ProcessEntry[] {
  const found: ProcessEntry[] = [];
  attempt(() => {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
        .split(' ')
        .filter(Boolean);
      for (const child of children.map(Number)) {
        // behind the name, which may hold anything: state, parent, group
        const stat = readFileSync(`/proc/${child}/stat`, 'utf8');
        found.push({ pid: child, group: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]) });
      }
    }
  });
  return found;
}

/** The table of all processes, read once. */
function readTable(system: ProcessSystem): (parent: number) => ProcessEntry[] {
  const byParent = new Map<number, ProcessEntry[]>();
  attempt(() => {
    for (const line of system.run('ps', ['-A', '-o', 'pid=,ppid=,pgid=']).split('\n')) {
      const [pid, parent, group] = line.trim().split(/\s+/).map(Number);
      if (!pid || parent === undefined || group === undefined) continue;
      byParent.set(parent, [...(byParent.get(parent) ?? []), { pid, group }]);
    }
  });
  return (parent) => byParent.get(parent) ?? [];
}

/** A process may have ended in the meantime. */
function attempt(action: () => unknown): void {
  try {
    action();
  } catch {
    // then there is nothing to do
  }
}
