/**
 * Output that does not pass through JavaScript: of child processes with inherited streams, of native libraries.
 *
 * The file descriptors 1 and 2 become pipes, and both threads empty them: the main thread before each thing it
 * writes itself, so that the order is kept; the transport every few milliseconds, because the main thread may be
 * inside a long native call. Needs `koffi` to call the C library; without it nothing is captured.
 */
import type { LibraryHandle } from 'koffi';

const F_SETFD = 2;
const F_GETFL = 3;
const F_SETFL = 4;
const FD_CLOEXEC = 1;
/** Linux: makes a pipe hold a megabyte, so that a fast child is not slowed down. */
const F_SETPIPE_SZ = 1031;
const POLLIN = 1;
const UNBUFFERED = 2;
const O_NONBLOCK = process.platform === 'darwin' ? 4 : 0o4000;

/** The functions of the C library that are used here. */
interface CLibrary {
  pipe(fds: number[]): number;
  dup(fd: number): number;
  dup2(from: number, to: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  poll(fds: Uint8Array, count: number, timeout: number): number;
  read(fd: number, buffer: Uint8Array, bytes: number): number;
  fflush(stream: null): number;
}

type Koffi = typeof import('koffi');

let loaded: { library: CLibrary; koffi: Koffi; handle: LibraryHandle } | undefined | null;

/** The C library and what calls it; undefined where `koffi` is not installed or the system is not a Unix. */
export function nativeLibrary(): { koffi: Koffi; handle: LibraryHandle } | undefined {
  if (loaded === undefined) loaded = loadCLibrary() ?? null;
  return loaded ?? undefined;
}

function cLibrary(): CLibrary | undefined {
  nativeLibrary();
  return loaded?.library;
}

function loadCLibrary(): Exclude<typeof loaded, null> {
  if (process.platform === 'win32') return undefined;
  try {
    const koffi = require('koffi') as Koffi;
    const handle = koffi.load(null);
    const fcntl = handle.func('int fcntl(int, int, ...)');
    const library = {
      pipe: handle.func('int pipe(_Out_ int *)'),
      dup: handle.func('int dup(int)'),
      dup2: handle.func('int dup2(int, int)'),
      fcntl: (fd: number, command: number, argument: number) => fcntl(fd, command, 'int', argument),
      poll: handle.func('int poll(void *, unsigned long, int)'),
      read: handle.func('long read(int, void *, size_t)'),
      fflush: handle.func('int fflush(void *)'),
    };
    return { library: library as unknown as CLibrary, koffi, handle };
  } catch {
    return undefined;
  }
}

/** Whether the file descriptors 1 and 2 can be captured: `koffi` is installed, and this is a Unix. */
export function canRedirect(): boolean {
  return cLibrary() !== undefined;
}

/** The reading ends of the two pipes. */
export interface NativePipes {
  stdout: number;
  stderr: number;
}

/** What the redirection gives: the pipes, and the streams as they were before. */
export interface Redirected {
  pipes: NativePipes;
  /** Copies of the process's first streams, which no child inherits. */
  original: { stdin: number; stdout: number; stderr: number };
}

/**
 * Lets pipes take the place of the file descriptors 1 and 2, and nothing that of 0. Returns undefined, and leaves
 * everything as it is, where that is not possible.
 */
export function redirectStreams(nullFd: number): Redirected | undefined {
  const c = cLibrary();
  if (c === undefined) return undefined;
  const keep = (fd: number) => {
    const copy = c.dup(fd);
    c.fcntl(copy, F_SETFD, FD_CLOEXEC);
    return copy;
  };
  const original = { stdin: keep(0), stdout: keep(1), stderr: keep(2) };
  const replace = (fd: number) => {
    const ends = [0, 0];
    if (c.pipe(ends) !== 0)
      throw new Error('no pipe for the output of child processes: too many open files?');
    const [read, write] = ends as [number, number];
    if (process.platform === 'linux') c.fcntl(read, F_SETPIPE_SZ, 1 << 20);
    c.fcntl(read, F_SETFD, FD_CLOEXEC);
    c.fcntl(read, F_SETFL, c.fcntl(read, F_GETFL, 0) | O_NONBLOCK);
    c.dup2(write, fd);
    c.fcntl(write, F_SETFD, FD_CLOEXEC);
    return read;
  };
  c.dup2(nullFd, 0);
  const pipes = { stdout: replace(1), stderr: replace(2) };
  unbufferNativeStdout();
  return { pipes, original };
}

/** The C library holds back what is printed to a pipe; `printf` in a native library shall be seen at once. */
function unbufferNativeStdout(): void {
  if (!loaded) return;
  try {
    const { koffi, handle } = loaded;
    const name = process.platform === 'darwin' ? '__stdoutp' : 'stdout';
    const stream = koffi.decode(handle.symbol(name, 'void *'), 'void *');
    handle.func('int setvbuf(void *, void *, int, size_t)')(stream, null, UNBUFFERED, 0);
  } catch {
    // then it is flushed when a cell ends
  }
}

/** Lets native libraries write what they hold back. */
export function flushNative(): void {
  cLibrary()?.fflush(null);
}

/** Empties the pipes without ever waiting. Each thread has its own reader on the same pipes. */
export class NativeReader {
  readonly #c: CLibrary;
  readonly #pipes: NativePipes;
  /** Two `struct pollfd`: the descriptor, the events asked for, the events seen. */
  readonly #polled = new Uint8Array(16);
  readonly #buffer = new Uint8Array(64 * 1024);

  constructor(pipes: NativePipes) {
    const c = cLibrary();
    if (c === undefined) throw new Error('koffi is missing');
    this.#c = c;
    this.#pipes = pipes;
    const view = new DataView(this.#polled.buffer);
    [pipes.stdout, pipes.stderr].forEach((fd, i) => {
      view.setInt32(8 * i, fd, true);
      view.setInt16(8 * i + 4, POLLIN, true);
    });
  }

  /** Whether something waits in a pipe. About a microsecond. */
  get pending(): boolean {
    return this.#c.poll(this.#polled, 2, 0) > 0;
  }

  /** The next bytes of one pipe, at most 64 KiB, or undefined. The bytes are overwritten by the next call. */
  read(stream: 'stdout' | 'stderr'): Uint8Array | undefined {
    const count = this.#c.read(this.#pipes[stream], this.#buffer, this.#buffer.length);
    return count > 0 ? this.#buffer.subarray(0, count) : undefined;
  }
}
