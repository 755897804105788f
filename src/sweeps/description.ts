/** @file What a person writes of a sweep: `sweep.json`, checked as a whole before anything starts. */

import { dirname, resolve } from 'node:path';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { isObject } from '../common/is-object.js';
import { nearestName, shown } from '../common/option-names.js';

/** Values of a parameter: a list to choose from, or with `method: random` a range to draw from. */
export type ParameterValues =
  | readonly unknown[]
  | {
      readonly min: number;
      readonly max: number;
      readonly scale?: 'linear' | 'log';
      readonly integer?: boolean;
    };

/** A training beside others, which may begin with the model that another one has trained. */
export interface Variant {
  readonly name: string;
  /** The name of the variant whose last checkpoint it continues from. */
  readonly after?: string;
  readonly fineTune?: Readonly<Record<string, unknown>>;
  readonly inferEvaluate?: Readonly<Record<string, unknown>>;
}

/** Runs are stopped early: after each rung only this part of them goes on, those with the lowest validation loss. */
export interface Halving {
  readonly rungs: number;
  /** Default 0.5. */
  readonly keep?: number;
}

/** The description of a sweep. */
export interface SweepDescription {
  /** Where everything of the sweep goes. This and every other path is relative to the description's folder. */
  readonly outputDir: string;
  /** Options of fine-tune that all runs share; without `outputDir`. */
  readonly fineTune: Readonly<Record<string, unknown>>;
  /** Options of infer-evaluate; left out, nothing is evaluated. */
  readonly inferEvaluate?: Readonly<Record<string, unknown>>;
  /** Values by the name of an option of fine-tune, or as `inferEvaluate.temperature` of infer-evaluate. */
  readonly parameters?: Readonly<Record<string, ParameterValues>>;
  /** Default: grid, all combinations. */
  readonly method?: 'grid' | 'random';
  /** How many combinations `random` draws, and the random seed of the draws (default 0). */
  readonly runs?: number;
  readonly seed?: number;
  readonly halving?: Halving;
  readonly variants?: readonly Variant[];
}

/** A description, and the folder that its paths are relative to. */
export type PlacedDescription = SweepDescription & { readonly folder: string };

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string' && value !== '';
const isCount =
  (least: number): Check =>
  (value) =>
    Number.isSafeInteger(value) && (value as number) >= least;

/** What each part may be: in words, and as a check. */
type Parts = Readonly<Record<string, readonly [expected: string, check: Check]>>;

const PARTS: Parts = {
  outputDir: ['the name of a folder', isText],
  fineTune: ['an object with options of fine-tune', isObject],
  inferEvaluate: ['an object with options of infer-evaluate', isObject],
  parameters: ['an object with values by the names of options', isObject],
  method: ['one of grid, random', (value) => value === 'grid' || value === 'random'],
  runs: ['an integer of at least 1', isCount(1)],
  seed: ['an integer', (value) => Number.isSafeInteger(value)],
  halving: ['an object with rungs and keep', isObject],
  variants: ['a list of objects with a name', (value) => Array.isArray(value) && value.every(isObject)],
};
const HALVING: Parts = {
  rungs: ['an integer of at least 2', isCount(2)],
  keep: ['a number between 0 and 1', (value) => typeof value === 'number' && value > 0 && value < 1],
};
const VARIANT: Parts = {
  name: [
    'a name of letters, digits, ".", "_" and "-"',
    (value) => isText(value) && /^[\w.-]+$/.test(String(value)),
  ],
  after: ['the name of another variant', isText],
  fineTune: PARTS.fineTune!,
  inferEvaluate: PARTS.inferEvaluate!,
};

/** @throws {UserError} for the first part that is unknown, missing or not what it should be */
function checkParts(value: object, parts: Parts, required: readonly string[], where: string): void {
  for (const [name, part] of Object.entries(value)) {
    const known = parts[name];
    if (known === undefined) {
      const nearest = nearestName(name, Object.keys(parts));
      const hint =
        nearest === undefined ? `known: ${Object.keys(parts).join(', ')}` : `did you mean ${nearest}?`;
      throw new UserError(`${where}: there is no "${name}" in a sweep; ${hint}`);
    }
    const [expected, check] = known;
    if (!check(part)) throw new UserError(`${where}: ${name}: expected ${expected}, found ${shown(part)}`);
  }
  const missing = required.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) throw new UserError(`${where}: ${missing} is missing: ${parts[missing]![0]}`);
}

function checkVariants(variants: readonly Variant[], where: string): void {
  const names = new Set<string>();
  for (const variant of variants) {
    checkParts(variant, VARIANT, ['name'], `${where}: variants`);
    const { name, after } = variant;
    if (names.has(name)) throw new UserError(`${where}: variants: two are called "${name}"`);
    if (after !== undefined && !names.has(after)) {
      throw new UserError(
        `${where}: variants: "${name}" is after "${after}", which is not before it in the list`,
      );
    }
    names.add(name);
  }
}

/**
 * Reads and checks a description, as far as it says nothing of options. Its output folder is made absolute.
 * @param where what messages call it
 * @throws {UserError} in one line
 */
export function checkDescription(value: unknown, where: string, folder: string): PlacedDescription {
  if (!isObject(value)) throw new UserError(`${where}: expected the description of a sweep, an object`);
  checkParts(value, PARTS, ['outputDir', 'fineTune'], where);
  const description = value as unknown as SweepDescription;
  const { outputDir, method = 'grid', runs, halving, variants = [] } = description;
  if (method === 'random' && runs === undefined) {
    throw new UserError(`${where}: runs is missing: how many combinations are drawn`);
  }
  if (method === 'grid' && runs !== undefined) {
    throw new UserError(
      `${where}: runs: a grid has all combinations; leave it out, or give "method": "random"`,
    );
  }
  if (halving !== undefined) checkParts(halving, HALVING, ['rungs'], `${where}: halving`);
  checkVariants(variants, where);
  return { ...description, folder, outputDir: resolve(folder, outputDir) };
}

/** Reads the description of a sweep. @throws {UserError} in one line that names the file */
export function readDescription(path: string): PlacedDescription {
  return checkDescription(readJson(path, 'the description of a sweep'), path, dirname(resolve(path)));
}
