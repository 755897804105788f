import { Rng } from '../common/rng.js';
import { GeneratorError } from './errors.js';
import type { TaskGenerator } from './generators/define.js';
import { generatorFamilies, generators } from './generators/index.js';
import { defaultKnobs, type Knobs } from './generators/knobs.js';
import { maxGridSide } from './grid.js';
import type { Dataset, Task } from './types.js';

/** What {@link generateTasks} makes. */
export interface GenerateTasksOptions extends Partial<Omit<Knobs, 'trainSamples'>> {
  /** How many tasks. */
  readonly count: number;
  readonly seed: number;
  /** Only these generators, in this order. */
  readonly generators?: readonly string[];
  /** Only generators of these families. */
  readonly families?: readonly string[];
  /** How many train samples: a number, or the least and the most of them. 3 by default. */
  readonly trainSamples?: number | readonly [number, number];
}

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

function assertRange(flag: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new GeneratorError(`${flag}: expected an integer from ${low} to ${high}, found ${value}`);
}

type KnobOptions = Partial<Omit<Knobs, 'trainSamples'>> & Pick<GenerateTasksOptions, 'trainSamples'>;

/** All knobs, those that are not given at their defaults. @throws {GeneratorError} for one out of its range. */
function checkKnobs(options: KnobOptions) {
  const knobs = { ...defaultKnobs, ...withoutUndefined(options) };
  const { maxSize, minSize, colors, objects, testSamples, trainSamples } = knobs;
  assertRange('--max_size', maxSize, 3, maxGridSide);
  assertRange('--min_size', minSize, 1, maxGridSide);
  if (minSize > maxSize) {
    throw new GeneratorError(
      `--min_size: expected at most --max_size, which is ${maxSize}, found ${minSize}`,
    );
  }
  assertRange('--colors', colors, 1, 9);
  assertRange('--objects', objects, 1, 100);
  assertRange('--test_samples', testSamples, 1, 20);
  const [fewest, most] = typeof trainSamples === 'number' ? [trainSamples, trainSamples] : trainSamples;
  assertRange('--train_samples', fewest, 1, 50);
  assertRange('--train_samples', most, fewest, 50);
  return { maxSize, minSize, colors, objects, testSamples, trainSamples };
}

/**
 * One task: a pure function of seed, generator, index and knobs.
 * @throws {GeneratorError} when the generator does not exist, a knob is out of its range, or the generator finds no
 * task within the knobs.
 */
export function generateTask(name: string, seed: number, index: number, options: KnobOptions = {}): Task {
  assertKnown('generator', [name], Object.keys(generators));
  const { trainSamples, ...knobs } = checkKnobs(options);
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
  const { count, seed } = options;
  assertRange('--count', count, 1, 10_000_000);
  const knobs = checkKnobs(options);
  const selected = selectGenerators(options, knobs.maxSize);
  const order = options.generators ? selected : Rng.of(seed, 'generators').shuffle(selected);
  const dataset = new Map<string, readonly Task[]>();
  const unfit = new Set<string>();
  for (let i = 0; dataset.size < count; i++) {
    const { name } = order[i % order.length]!;
    const index = Math.floor(i / order.length);
    if (unfit.has(name)) continue;
    try {
      dataset.set(`${name}-${index}`, [generateTask(name, seed, index, knobs)]);
    } catch (error) {
      // one that nobody asked for by name may be too hard for the knobs, as long as it is not the last
      unfit.add(name);
      if (options.generators || unfit.size === order.length) throw error;
    }
  }
  return dataset;
}

/** So that an option that is given as undefined takes its default. */
function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
