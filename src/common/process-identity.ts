/** Which process is meant by a number that is used again, on a machine whose name others may have. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** The host, on Linux with this start of it and this space of process numbers: containers may share a name. */
export function machine(): string {
  const of = (read: () => string) => {
    try {
      return read().trim();
    } catch {
      return '';
    }
  };
  const boot = of(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  return [hostname(), boot, of(() => readlinkSync('/proc/self/ns/pid'))].join(' ');
}

/** When a process began; `gone` for one that does not run, empty where the system does not say. */
export function processStart(pid: number): string {
  try {
    // the name in brackets may have brackets and spaces in it
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? 'gone' : (fields[19] ?? '');
  } catch {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return 'gone';
    }
    return '';
  }
}

/** Whether a process that began then does not run any more, as far as the system says. */
export function isGone(pid: number, start: string): boolean {
  const now = processStart(pid);
  return now === 'gone' || (now !== '' && start !== '' && now !== start);
}

/** A process, told apart from those that have its number before or after it, or on another machine. */
export interface ProcessIdentity {
  readonly machine: string;
  readonly pid: number;
  /** As {@link processStart} says. */
  readonly start: string;
}

/** This process, with the name of its host for a person. */
export const thisProcess = (): ProcessIdentity & { readonly host: string } => ({
  host: hostname(),
  machine: machine(),
  pid: process.pid,
  start: processStart(process.pid),
});

/** Whether a process has ended: only those of this machine are known to have. */
export const hasEnded = ({ machine: where, pid, start }: ProcessIdentity): boolean =>
  where === machine() && isGone(pid, start);
