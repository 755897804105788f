/** What Kaggle offers to compute on, and the contests that arclab knows, as data (November 2026). */

/** A machine of Kaggle's. */
export interface Machine {
  /** What people call it. */
  readonly label: string;
  /** The most GPUs that a notebook gets with it. */
  readonly gpus: number;
  /** Its GPUs compute in bfloat16 (compute capability 8.0 or later). */
  readonly bfloat16: boolean;
  /** How long a session lasts. */
  readonly hours: number;
}

/** Machines by the name that `machine_shape` has for them; some are for certain competitions or accounts only. */
export const machines: Readonly<Record<string, Machine>> = {
  none: { label: 'no GPU', gpus: 0, bfloat16: true, hours: 12 },
  NvidiaTeslaT4: { label: 'T4 ×2', gpus: 2, bfloat16: false, hours: 12 },
  NvidiaTeslaT4Highmem: { label: 'T4 ×2', gpus: 2, bfloat16: false, hours: 12 },
  // four with a competition that offers them, such as ARC Prize
  NvidiaL4: { label: 'L4 ×4', gpus: 4, bfloat16: true, hours: 12 },
  NvidiaL4X1: { label: 'L4', gpus: 1, bfloat16: true, hours: 12 },
  NvidiaTeslaA100: { label: 'A100', gpus: 1, bfloat16: true, hours: 12 },
  NvidiaH100: { label: 'H100', gpus: 1, bfloat16: true, hours: 12 },
  NvidiaRtxPro6000: { label: 'RTX Pro 6000', gpus: 1, bfloat16: true, hours: 12 },
};

/** Names that Kaggle still takes, and gives another machine for. */
export const retired: Readonly<Record<string, string>> = { NvidiaTeslaP100: 'NvidiaTeslaT4' };

/** Seconds of a session that a time budget has to leave: to start, to end and to save the results. */
export const SESSION_MARGIN = 180;

/** What a contest asks for. */
export interface Contest {
  /** Its name in the address of its page. */
  readonly competition: string;
  readonly accelerator: string;
  /** What is left of a session when everything else has had its time. */
  readonly timeBudget: string;
  /** Tasks of the rerun. */
  readonly tasks: number;
}

/** Contests by the name that a configuration has for them. */
export const contests: Readonly<Record<string, Contest>> = {
  'arc-prize-2025': {
    competition: 'arc-prize-2025',
    accelerator: 'NvidiaTeslaT4',
    timeBudget: '11.5h',
    tasks: 240,
  },
  'arc-prize-2026': {
    competition: 'arc-prize-2026-arc-agi-2',
    accelerator: 'NvidiaL4',
    timeBudget: '11.5h',
    tasks: 240,
  },
};

/** The contest of a configuration that names none. */
export const DEFAULT_CONTEST = 'arc-prize-2025';
