/** @file Options of the command line alone: how much is printed, and how long it may take. */
import { defineOptions } from '../options/table.js';

export const verboseOptions = defineOptions({
  verbose: { type: 'boolean', default: false, description: 'print details' },
});
