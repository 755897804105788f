import { readFileSync } from 'node:fs';
import koffi from 'koffi';

/** RLIMIT_AS of Linux. */
const ADDRESS_SPACE = 9;
const libc = process.platform === 'linux' ? koffi.load('libc.so.6') : undefined;
const getrlimit = libc?.func('int getrlimit(int resource, _Out_ uint64_t *limits)');
const setrlimit = libc?.func('int setrlimit(int resource, uint64_t *limits)');

/** Whether a test here can leave a process only so much memory. */
export const canLimitMemory = libc !== undefined;

/**
 * Leaves this process so many bytes more than it has: drivers in software, whose memory is the process's, refuse what
 * is larger.
 * @returns takes the limit away
 */
export function leaveBytes(bytes: number): () => void {
  const before = [0n, 0n];
  getrlimit!(ADDRESS_SPACE, before);
  const [, pages] = [0, Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0])];
  if (setrlimit!(ADDRESS_SPACE, [pages * 4096 + bytes, before[1]]) !== 0) throw new Error('setrlimit failed');
  return () => void setrlimit!(ADDRESS_SPACE, before);
}
