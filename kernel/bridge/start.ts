import { spawn } from 'node:child_process';
import { isMainThread } from 'node:worker_threads';
import { createCellComms } from '../comm/cell-comms.js';
import type { Stripper } from '../engine/strip.js';
import { startHost } from '../host/host.js';
import { INTERNALS_FLAG } from '../host/internals.js';
import { canRedirect } from '../host/native-output.js';
import { serveLines } from './serve-lines.js';

/** The variable by which the bridge knows that its streams were redirected. */
const MOVED = '--streams-at-3-and-4';

/**
 * Starts the bridge; `file` is the script that calls this, which also becomes the transport thread. Standard
 * output carries the protocol, so nothing else may reach it. Where `koffi` is there, the file descriptor becomes
 * a pipe and what is written to it is output of a cell. Where it is not, the script starts itself once more with
 * the protocol on other descriptors, and what child processes and native libraries print goes to standard error.
 * @param prepare see `HostOptions`
 */
export function startBridge(file: string, strip: Stripper, prepare?: () => void): void {
  const host = { worker: file, transport: undefined, strip, comms: createCellComms, prepare };
  if (!isMainThread) {
    serveLines();
  } else if (process.argv.includes(MOVED)) {
    startHost({ ...host, streams: { stdin: 3, stdout: 4, stderr: 2 } });
  } else if (canRedirect()) {
    startHost(host);
  } else {
    // a process that starts itself anew keeps no other streams than the three
    const child = spawn(process.execPath, [INTERNALS_FLAG, ...process.execArgv, file, MOVED], {
      stdio: ['ignore', 2, 2, 0, 1],
    });
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
    child.on('exit', (code) => process.exit(code ?? 1));
  }
}
