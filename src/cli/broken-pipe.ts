import type { Writable } from 'node:stream';

/**
 * Lets a program go on when the reader of its output has ended, as `head` does: later output is lost, results are not.
 * Every other error of a stream is thrown.
 */
export function outliveReader(...streams: readonly Writable[]): void {
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  }
}
