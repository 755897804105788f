import { OptionError, option } from '../common/option-names.js';
import { Rng } from '../common/rng.js';
import type { ConfigOf, OptionsOf } from '../options/table.js';
import { generateTasksOptions, type knobOptions } from '../options/tasks.js';
import { GeneratorError } from './errors.js';
import type { TaskGenerator } from './generators/define.js';
import { generatorFamilies, generators } from './generators/index.js';
import { knobTable } from './generators/knobs.js';
import type { Dataset, Task } from './types.js';

/** What {@link generateTasks} makes. */
export type GenerateTasksOptions = OptionsOf<typeof generateTasksOptions.table>;

function assertKnown(what: string, names: readonly string[], known: readonly string[]): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new GeneratorError(`Unknown ${what} ${JSON.stringify(unknown)}. Known: ${known.join(', ')}`);
}

/**
 * The generators that are asked for: those named, or all that can work with `maxSize`.
 * @throws {GeneratorError} for an unknown name, or a named generator that needs larger grids.
 */
export function selectGenerators(
  { generators: names, families }: Pick<GenerateTasksOptions, 'generators' | 'families'>,
  maxSize: number,
): TaskGenerator[] {
  assertKnown('generator', names ?? [], Object.keys(generators));
  assertKnown('family of generators', families ?? [], generatorFamilies);
  const chosen = names ? names.map((name) => generators[name]!) : Object.values(generators);
  const selected = chosen.filter(({ family }) => !families || families.includes(family));
  const fitting = selected.filter(({ smallest }) => smallest <= maxSize);
  const tooLarge = selected.find(({ smallest }) => smallest > maxSize);
  if (tooLarge && (names || fitting.length === 0)) {
    throw new GeneratorError(
      `Generator "${tooLarge.name}" needs grids of up to ${tooLarge.smallest} cells a side, the maximum size ` +
        `given is ${maxSize}; give a larger one`,
    );
  }
  if (fitting.length === 0) {
    throw new GeneratorError(
      `No generator left: none of ${(names ?? []).join(', ')} is of the family ${(families ?? []).join(', ')}`,
    );
  }
  return fitting;
}

type KnobOptions = OptionsOf<typeof knobOptions>;
type KnobConfig = ConfigOf<typeof knobOptions>;

/** All knobs, those that are not given at their defaults. @throws {OptionError} for one out of its range */
function checkKnobs(options: KnobOptions): KnobConfig {
  return assertSizes(knobTable.check(options));
}

/** @throws {OptionError} when no size is between the least and the most */
function assertSizes(knobs: KnobConfig): KnobConfig {
  const { minSize, maxSize } = knobs;
  if (minSize > maxSize) {
    throw new OptionError('minSize', {
      expected: `at most ${option('maxSize')}, which is ${maxSize}`,
      found: minSize,
    });
  }
  return knobs;
}

/**
 * One task: a pure function of seed, generator, index and knobs.
 * @throws {GeneratorError} when the generator does not exist, a knob is out of its range, or the generator finds no
 * task within the knobs.
 */
export function generateTask(name: string, seed: number, index: number, options: KnobOptions = {}): Task {
  assertKnown('generator', [name], Object.keys(generators));
  return makeTask(name, seed, index, checkKnobs(options));
}

/** A task of a generator that there is, of knobs that are in their ranges. */
function makeTask(name: string, seed: number, index: number, all: KnobConfig): Task {
  const { trainSamples, ...knobs } = all;
  const rng = Rng.of(seed, name, index);
  const samples = typeof trainSamples === 'number' ? trainSamples : rng.int(trainSamples[0], trainSamples[1]);
  try {
    return generators[name]!.generate(rng, { ...knobs, trainSamples: samples });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new GeneratorError(`Generator "${name}" cannot make a task: ${error.message}`);
  }
}

/**
 * Makes tasks with ids such as `gravity-12`. The generators take turns, in the order given or else in an
 * order drawn from the seed, so that a small count is varied too; a task depends on seed, name, index and
 * knobs only. Of the generators that are not named, those that find no task within the knobs are left out.
 * @throws {GeneratorError} for unknown names and for knobs that nothing fits.
 */
export function generateTasks(options: GenerateTasksOptions): Dataset {
  const { count, seed, generators: named, families, ...given } = generateTasksOptions.check(options);
  const knobs = assertSizes(given);
  const selected = selectGenerators({ generators: named, families }, knobs.maxSize);
  const order = named ? selected : Rng.of(seed, 'generators').shuffle(selected);
  const dataset = new Map<string, readonly Task[]>();
  const unfit = new Set<string>();
  for (let i = 0; dataset.size < count; i++) {
    const { name } = order[i % order.length]!;
    const index = Math.floor(i / order.length);
    if (unfit.has(name)) continue;
    try {
      dataset.set(`${name}-${index}`, [makeTask(name, seed, index, knobs)]);
    } catch (error) {
      // a generator that was not named may find no task within the knobs, as long as another does
      unfit.add(name);
      if (named || unfit.size === order.length) throw error;
    }
  }
  return dataset;
}
