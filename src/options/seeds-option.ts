/** The option of flows that end in metrics: how often they are repeated. */

import { count } from './shapes.js';
import type { OptionTable } from './table.js';

export const seedsOption = {
  seeds: {
    ...count,
    default: 1,
    description:
      'repeat with n seeds (`seed`, `seed` + 100, `seed` + 200, …): mean and standard deviation of each metric',
  },
} as const satisfies OptionTable;
