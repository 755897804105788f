import { shownUrl } from '../sweeps/queue/redis.js';

/** Takes the password of an address out of what a machine's list of processes shows of this one from now on. */
export function hidePassword(address: string | undefined): void {
  if (address === undefined || shownUrl(address) === address) return;
  process.title = process.argv.map((word) => word.replace(address, shownUrl(address))).join(' ');
}
