/** The interface of a kernel and its supervisor (supervisor/kernel.sh). */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { nativeLibrary } from './native-output.js';

/** The argument that says that there is one. */
const SUPERVISED_FLAG = '--supervised';
/** A signal to a group of processes reaches both, and is one interrupt; in ms. */
const SAME_MS = 100;
/** How often the processes above this one are looked at, in ms. */
const LOOK_MS = 1000;
/** Under these numbers the supervisor finds, in this order, what it keeps open. */
const FIRST_KEPT_FD = 200;
const F_DUPFD_CLOEXEC = 1030;
const PR_SET_PDEATHSIG = 1;
const SIGKILL = 9;

/** Whether this process has a supervisor; to be asked on the main thread. */
export function isSupervised(): boolean {
  return process.argv[3] === SUPERVISED_FLAG;
}

/** Has the supervisor keep files open, and lets this process end with it. Linux only. */
export function tellSupervisor(fds: readonly number[]): void {
  const native = nativeLibrary();
  if (native === undefined || process.platform !== 'linux') return;
  const { handle } = native;
  handle.func('int prctl(int, ...)')(PR_SET_PDEATHSIG, 'unsigned long', SIGKILL);
  const fcntl = handle.func('int fcntl(int, int, ...)');
  const places = fds.map((fd) => fcntl(fd, F_DUPFD_CLOEXEC, 'int', FIRST_KEPT_FD));
  if (places.every((place, i) => place === FIRST_KEPT_FD + i)) process.kill(process.ppid, 'SIGUSR1');
}

const heard = { SIGINT: Number.NEGATIVE_INFINITY, SIGURG: Number.NEGATIVE_INFINITY };

/** Whether an interrupt was heard on the other way just now: as SIGINT, or as SIGURG from the supervisor. */
export function isRepeated(way: keyof typeof heard): boolean {
  const now = performance.now();
  heard[way] = now;
  return now - heard[way === 'SIGINT' ? 'SIGURG' : 'SIGINT'] < SAME_MS;
}

/** A server that was killed cannot end its kernels: `end` is called when the process is lost that started the kernel. */
export function endWithParent(end: () => void, supervised: boolean): void {
  if (process.env.JPY_PARENT_PID === undefined) return;
  const parents = () => [process.ppid, supervised ? parentOf(process.ppid) : 0].join();
  const atStart = parents();
  setInterval(() => parents() !== atStart && end(), LOOK_MS).unref();
}

/** The process that has started another one; 0 where there is none. */
function parentOf(pid: number): number {
  try {
    if (process.platform !== 'linux') return Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)]));
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}
