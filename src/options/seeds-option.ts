/** The option of flows that end in metrics: how often they are repeated. */
import type { OptionTable } from './table.js';

export const seedsOption = {
  seeds: {
    type: 'integer',
    minimum: 1,
    default: 1,
    value: 'n',
    description:
      'repeat with n seeds (`seed`, `seed` + 100, `seed` + 200, …): mean and standard deviation of each metric',
  },
} as const satisfies OptionTable;
