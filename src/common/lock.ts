/**
 * @file A run owns what it writes: a second one into the same folder or file is refused at its start. The lock is a
 * file that names host, process and start time. Its modification time is renewed every 10 s, and after 60 s without
 * renewal anybody may take it; one whose process is gone is taken at once by others on the same machine.
 *
 * - Creating a file that must not exist yet is atomic on every file system (NFS since version 3), so of two that find
 *   no lock one gets it. An abandoned lock is removed by whoever holds a second file for that moment and still finds
 *   the very same lock, so a new one is never removed in its place.
 * - Times are compared as the file system gives them, with a file that is made to ask for the time, so that the clocks
 *   of two hosts do not matter, nor times in whole seconds. A clock that is set may make a lock look old that is not:
 *   one that may have a living owner is therefore watched for longer than a renewal takes before it is taken.
 * - A thread of its own renews it: loading a model or a long step keep the main thread busy for minutes.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { messageOf, UserError } from './errors.js';
import { systemReason, temporaryName } from './files.js';
import { hasEnded, machine, thisProcess } from './process-identity.js';

/** Seconds. A test has less of them. */
export interface LockTiming {
  readonly renewEvery: number;
  readonly staleAfter: number;
}

const TIMING: LockTiming = { renewEvery: 10, staleAfter: 60 };

/** What a run owns, and the option that chooses it. */
export interface LockTarget {
  readonly path: string;
  readonly kind: 'folder' | 'file';
  /** As messages name options. */
  readonly option: string;
}

/** Says that another run writes to a target. */
export class InUseError extends UserError {}

/** Who holds a lock: the content of its file. */
interface Owner {
  readonly host: string;
  readonly pid: number;
  /** When the lock was taken. */
  readonly since: string;
  /** Tells processes apart that have the same number one after the other, and machines with the same name. */
  readonly machine: string;
  readonly processStart: string;
  /** No two locks have the same. */
  readonly token: string;
}

/** Runs something and nothing else with the same target; see {@link withLock}. */
export type Locking = <T>(
  target: LockTarget,
  run: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
) => Promise<T>;

/**
 * Runs something while it alone may write to the target.
 * @param run is given a signal that is aborted with `signal`, and when the lock was lost to another run, as it may be
 * when this process was suspended
 * @throws {InUseError} when another run, of this process or any other, writes to the target; {UserError} when it cannot
 * be written
 */
export async function withLock<T>(
  target: LockTarget,
  run: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
  timing = TIMING,
): Promise<T> {
  const lock = await Lock.take(target, timing);
  try {
    return await run(signal ? AbortSignal.any([signal, lock.lost]) : lock.lost);
  } finally {
    lock.release();
    lock.assertKept();
  }
}

/** Runs something while it alone may write to these files, of which there may be none. */
export function withFiles<T>(
  paths: readonly string[],
  run: (signal: AbortSignal) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const [first, ...others] = paths;
  if (first === undefined) return withoutLock(outputFile(''), run, signal);
  return withLock(outputFile(first), (stopping) => withFiles(others, run, stopping), signal);
}

/** For a flow that is part of one that has locked its target. */
export const withoutLock: Locking = (_, run, signal = new AbortController().signal) => run(signal);

/** The folder that `outputDir` names. */
export const outputFolder = (path: string): LockTarget => ({ path, kind: 'folder', option: '`outputDir`' });

/** The file that `outputPath` names, and what is written beside it. */
export const outputFile = (path: string): LockTarget => ({
  path,
  kind: 'file',
  option: '`outputPath`',
});

/** Where the lock of a target is. */
export function lockPath({ path, kind }: Pick<LockTarget, 'path' | 'kind'>): string {
  return kind === 'folder' ? join(path, '.arclab.lock') : `${path}.lock`;
}

const held = new Set<Lock>();
// a process that ends itself leaves no lock; one that is killed leaves one that others recognise
process.on('exit', () => {
  for (const lock of held) lock.release();
});

class Lock {
  readonly #target: LockTarget;
  readonly #text: string;
  /** The uppermost folder that was made for it. */
  readonly #made: string | undefined;
  readonly #lost = new AbortController();
  readonly #stopRenewing: () => void;

  private constructor(target: LockTarget, text: string, made: string | undefined, timing: LockTiming) {
    this.#target = target;
    this.#text = text;
    this.#made = made;
    this.#stopRenewing = renew(lockPath(target), text, timing, () => this.#lost.abort());
    held.add(this);
  }

  static async take(target: LockTarget, timing: LockTiming): Promise<Lock> {
    const path = lockPath(target);
    const text = `${JSON.stringify(thisOwner())}\n`;
    const made = guarded(target, () => mkdirSync(dirname(path), { recursive: true }));
    while (!guarded(target, () => create(path, text))) {
      const found = look(path);
      if (found === undefined) continue; // it has just been released
      if (!(await isAbandoned(path, found, timing))) throw new InUseError(inUse(target, found.owner));
      await removeAbandoned(path, found, timing);
    }
    return new Lock(target, text, made, timing);
  }

  /** Aborted when another run has taken the lock. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** @throws {UserError} when another run has taken the lock in between */
  assertKept(): void {
    if (!this.#lost.signal.aborted) return;
    const { path } = this.#target;
    throw new UserError(
      `${path}: another run has taken it over while this process was suspended, so this one has stopped`,
    );
  }

  release(): void {
    if (!held.delete(this)) return;
    this.#stopRenewing();
    const path = lockPath(this.#target);
    try {
      if (readFileSync(path, 'utf8') === this.#text) rmSync(path);
      const made = this.#made && resolve(this.#made);
      // folders that stayed empty
      for (
        let folder = resolve(dirname(path));
        made && folder.length >= made.length;
        folder = dirname(folder)
      ) {
        rmdirSync(folder);
      }
    } catch {
      // it was taken over, the folder is gone, or there is something in it
    }
  }
}

/** Writes a lock that does not exist yet. @returns false when it does */
function create(path: string, text: string): boolean {
  try {
    const descriptor = openSync(path, 'wx');
    try {
      writeFileSync(descriptor, text);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(descriptor);
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** A lock as it was found. */
interface Found {
  readonly text: string;
  readonly modified: number;
  /** Missing in one that is just being written, or that a full disk left empty. */
  readonly owner: Owner | undefined;
}

function look(path: string): Found | undefined {
  try {
    const modified = statSync(path).mtimeMs;
    const text = readFileSync(path, 'utf8');
    return { text, modified, owner: parseOwner(text) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text);
    return typeof owner?.pid === 'number' ? owner : undefined;
  } catch {
    return undefined;
  }
}

/** Whether nobody holds a lock any more. */
async function isAbandoned(path: string, found: Found, timing: LockTiming): Promise<boolean> {
  const { owner } = found;
  if (owner && hasEnded({ ...owner, start: owner.processStart })) return true;
  if (!isOld(path, found.modified, timing)) return false;
  await sleep(1100 * timing.renewEvery);
  const later = look(path);
  return later === undefined || (later.text === found.text && later.modified === found.modified);
}

/** Whether a time of a file beside `path` is further from now than `staleAfter`; after it, when the clock was set back. */
function isOld(path: string, modified: number, { staleAfter }: LockTiming): boolean {
  const probe = temporaryName(path);
  writeFileSync(probe, '');
  try {
    return Math.abs(statSync(probe).mtimeMs - modified) > 1000 * staleAfter;
  } finally {
    rmSync(probe, { force: true });
  }
}

/** Removes a lock if it is still the one that was found. */
async function removeAbandoned(path: string, found: Found, timing: LockTiming): Promise<void> {
  const guard = `${path}.removal`;
  if (!create(guard, '')) {
    // another run is removing it, which takes a moment unless it was killed meanwhile
    const other = look(guard);
    if (other && isOld(guard, other.modified, timing)) rmSync(guard, { force: true });
    else await sleep(20);
    return;
  }
  try {
    const now = look(path);
    if (now?.text === found.text && now.modified === found.modified) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
}

/** Renews a lock from a thread of its own; neither keeps the process alive. @returns what ends it */
function renew(path: string, text: string, { renewEvery }: LockTiming, onLost: () => void): () => void {
  const worker = new Worker(RENEWAL, {
    eval: true,
    workerData: { path, text, milliseconds: 1000 * renewEvery },
    // what node was started with is not for it
    execArgv: [],
    env: {},
    stdout: false,
  });
  worker.once('message', onLost);
  // without threads nothing renews it, and after a while others may take it
  worker.once('error', () => {});
  worker.unref();
  return () => {
    worker.removeAllListeners('message');
    void worker.terminate();
  };
}

/** Writes the same bytes again, which renews the time as the file system sees it; never over those of another owner. */
const RENEWAL = `
const { closeSync, openSync, readFileSync, writeSync } = require('node:fs');
const { parentPort, workerData } = require('node:worker_threads');
const { path, text, milliseconds } = workerData;
setInterval(() => {
  try {
    const descriptor = openSync(path, 'r+');
    try {
      if (readFileSync(descriptor, 'utf8') === text) writeSync(descriptor, text, 0);
      else parentPort.postMessage('lost');
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (error.code === 'ENOENT') parentPort.postMessage('lost');
  }
}, milliseconds);
`;

function thisOwner(): Owner {
  const { start, ...process } = thisProcess();
  return {
    ...process,
    since: new Date().toISOString(),
    processStart: start,
    token: randomBytes(8).toString('hex'),
  };
}

function inUse({ path, option }: LockTarget, owner: Owner | undefined): string {
  const who = !owner
    ? 'another run'
    : owner.pid === process.pid && owner.machine === machine()
      ? 'another call of this process'
      : `process ${owner.pid} on ${owner.host}`;
  const since = owner ? ` since ${owner.since.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}` : '';
  return `${path} is in use: ${who} has been writing to it${since}; wait until it ends, or give another ${option}`;
}

function guarded<R>({ path }: LockTarget, run: () => R): R {
  try {
    return run();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: cannot write: ${systemReason(error) ?? messageOf(error)}`);
  }
}
