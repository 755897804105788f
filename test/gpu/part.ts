/** @file What a part of the script is. */
import type { FloatType } from '../../src/tensors/precision.js';
import type { Settings } from './settings.js';

/** Says at once what is below a goal, so that it is known whatever comes after. */
export type Short = (line: string) => void;

/** What a part is given. */
export interface PartContext {
  readonly settings: Settings;
  readonly device: string;
  /** float32, and the type that is asked for. */
  readonly types: readonly FloatType[];
  /** For files of its own. */
  readonly folder: string;
  readonly short: Short;
}

/** One thing to find out, in a process of its own. */
export interface Part {
  readonly title: string;
  /** Seconds after which its process is ended, at most {@link MOST_SECONDS}. */
  readonly limit: number;
  /** What it cannot do without a GPU; it is left out there. */
  readonly needsGpu?: boolean;
  run(context: PartContext): Promise<void>;
}

/** The most seconds of one part, and of all parts together. */
export const [MOST_SECONDS, ALL_SECONDS] = [180, 480];
