import { execFileSync } from 'node:child_process';
import type { Task } from '../arc/types.js';
import { knownBackends } from '../tensors/backend.js';
import type { SubmitConfig } from './submit-options.js';
import type { Slot, TaskGroup } from './submit-predict.js';

/** The GPUs that NVIDIA's driver knows of, as `cuda:0`, `cuda:1`, …; empty without a driver. */
export function listGpus(): string[] {
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

/** Whether the backend that will be used computes on GPUs. */
function usesGpus(backend: string | undefined): boolean {
  const name =
    backend || process.env.ARCLAB_BACKEND || knownBackends().find((entry) => entry.isPresent())?.name;
  return knownBackends().some((entry) => entry.name === name && entry.takesDevice === true);
}

/**
 * The places for processes: each device as often as asked. Without devices all GPUs when there are several,
 * otherwise what the backend chooses by itself.
 */
export function makeSlots(options: {
  device?: string;
  devices?: readonly string[];
  processes: number;
  backend?: string;
}): Slot[] {
  const named = options.devices ?? (options.device === undefined ? undefined : [options.device]);
  const found = named ?? (usesGpus(options.backend) ? listGpus() : []);
  const devices = named || found.length > 1 ? found : [undefined];
  return Array.from({ length: options.processes }, () => devices)
    .flat()
    .map((device, i) => ({
      name: `process ${i + 1}${device === undefined ? '' : ` (${device})`}`,
      ...(device === undefined ? {} : { device }),
    }));
}

/** Tasks by the adapter that they share: every n-th task in a group, so that all groups are about as hard. */
export function makeGroups(
  tasks: ReadonlyMap<string, Task>,
  config: SubmitConfig,
  slots: readonly Slot[],
  adapter: string | null,
): TaskGroup[] {
  const ids = [...tasks.keys()];
  const devices = new Set(slots.map(({ device }) => device)).size;
  const count = config.fineTuneSteps === 0 ? 1 : Math.min(ids.length, config.fineTuneGroups ?? devices);
  const adapters = adapter === null ? [null] : [adapter, null];
  return Array.from({ length: count }, (_, group) => ({
    taskIds: new Set(ids.filter((_, i) => i % count === group)),
    adapters,
  }));
}
