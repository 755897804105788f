/** @file A child process, as its parent sees it: it is told things, says things, and ends. */
import { fork } from 'node:child_process';
import type { Reply, Request } from './protocol.js';

/** A child process that was started. */
export interface Child {
  send(request: Request): void;
  /** Ends it at once. */
  kill(): void;
}

/** What is told of a child: replies in their order, and once that it has ended and why. */
export interface ChildEvents {
  onReply(reply: Reply): void;
  onDeath(message: string): void;
}

/** How much of what a child writes is kept, in characters: the end, where the reason is. */
const KEPT = 2000;

/** Starts a child with a bundle. */
export function forkChild(file: string, { onReply, onDeath }: ChildEvents): Child {
  let stderr = '';
  const child = fork(file, {
    serialization: 'advanced', // log-probabilities may be infinite
    // it has work of its own, whoever started this process
    env: { ...process.env, ARCLAB_RANKS: 'off' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-KEPT);
  });
  child.on('message', (reply: Reply) => onReply(reply));
  child.on('error', (error) => onDeath(error.message));
  child.on('close', (code, signal) => {
    const lastLine = stderr.trim().split('\n').at(-1);
    const why = signal === 'SIGKILL' ? ', most likely because the memory was full' : '';
    const how = signal ? `was ended by ${signal}${why}` : `ended with code ${code}`;
    onDeath(`the process ${how}${lastLine ? `: ${lastLine}` : ''}`);
  });
  return {
    send(request) {
      child.send(request, (error) => {
        if (error) onDeath(`the process does not listen: ${error.message}`);
      });
    },
    kill: () => child.kill('SIGKILL'),
  };
}
