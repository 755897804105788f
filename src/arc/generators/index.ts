import { border } from './border.js';
import { color } from './color.js';
import { counting } from './counting.js';
import { crop } from './crop.js';
import type { TaskGenerator } from './define.js';
import { fill } from './fill.js';
import { geometry } from './geometry.js';
import { lines } from './lines.js';
import { logic } from './logic.js';
import { motion } from './motion.js';
import { objects } from './objects.js';
import { pattern } from './pattern.js';
import { scaling } from './scaling.js';
import { sorting } from './sorting.js';
import { symmetry } from './symmetry.js';

/** Every task generator by name, family after family. */
export const generators: Readonly<Record<string, TaskGenerator>> = Object.fromEntries(
  [
    geometry,
    scaling,
    color,
    crop,
    objects,
    motion,
    lines,
    fill,
    border,
    pattern,
    symmetry,
    logic,
    counting,
    sorting,
  ]
    .flat()
    .map((generator) => [generator.name, generator]),
);

/** The families of generators, in order. */
export const generatorFamilies: readonly string[] = [
  ...new Set(Object.values(generators).map(({ family }) => family)),
];
