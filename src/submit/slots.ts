/** @file Where the child processes of a submission compute. */
import { execFileSync } from 'node:child_process';
import { backendOf, type SubmitConfig } from './options.js';

/** A place for a process. */
export interface WorkerSlot {
  /** For messages, such as `process 1 (cuda:0)`. */
  readonly name: string;
  readonly device?: string;
}

/** The GPUs that NVIDIA's driver knows of, as `cuda:0`, `cuda:1`, …; empty without a driver. */
function listGpus(): string[] {
  try {
    const text = execFileSync('nvidia-smi', ['-L'], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return [...text.matchAll(/^GPU \d+:/gm)].map((_, i) => `cuda:${i}`);
  } catch {
    return [];
  }
}

/**
 * The places for processes: each device as often as asked. Without devices all GPUs when there are several,
 * otherwise what the backend chooses by itself.
 */
export function makeSlots(
  options: Pick<SubmitConfig, 'device' | 'devices' | 'processes' | 'backend'>,
): WorkerSlot[] {
  const named = options.devices ?? (options.device === undefined ? undefined : [options.device]);
  const found = named ?? (backendOf(options)?.takesDevice === 'cuda' ? listGpus() : []);
  const devices = named || found.length > 1 ? found : [undefined];
  return Array.from({ length: options.processes }, () => devices)
    .flat()
    .map((device, i) => ({
      name: `process ${i + 1}${device === undefined ? '' : ` (${device})`}`,
      ...(device === undefined ? {} : { device }),
    }));
}

/** On how many devices there are processes. */
export const countDevices = (slots: readonly WorkerSlot[]): number =>
  new Set(slots.map(({ device }) => device)).size;
