import { type ConfigOf, defineOptions } from '../../options/table.js';
import { knobOptions } from '../../options/tasks.js';

/** How difficult and how large generated tasks are; the option table says what each knob does. */
export type Knobs = Readonly<Omit<ConfigOf<typeof knobOptions>, 'trainSamples'> & { trainSamples: number }>;

export const knobTable = /* @__PURE__ */ defineOptions(knobOptions);

/** Medium difficulty. */
export const defaultKnobs = knobTable.defaults as Knobs;
