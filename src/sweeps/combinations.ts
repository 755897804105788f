/** @file Which values of its parameters each run of a sweep has: all combinations, or some that are drawn. */
import { UserError } from '../common/errors.js';
import { shown } from '../common/option-names.js';
import { Rng } from '../common/rng.js';
import type { ParameterValues, SweepDescription } from './description.js';

/** A value for each parameter, by its name as the description writes it. */
export type Combination = Readonly<Record<string, unknown>>;

/** Runs of a sweep at most: a plan of more would not fit into memory. */
const MOST_RUNS = 100_000;

const isList = (values: ParameterValues): values is readonly unknown[] => Array.isArray(values);

/** @throws {UserError} for values of a parameter that are neither a list nor a range that can be drawn from */
function checkValues(name: string, values: ParameterValues, method: string, where: string): void {
  const wrong = (expected: string) =>
    new UserError(`${where}: parameters: "${name}": expected ${expected}, found ${shown(values)}`);
  if (isList(values)) {
    if (values.length === 0) throw wrong('at least one value');
    return;
  }
  if (method === 'grid') throw wrong('a list of values (a range is for "method": "random")');
  const { min, max, scale = 'linear', integer = false, ...others } = values ?? {};
  const isRange =
    typeof min === 'number' &&
    typeof max === 'number' &&
    min < max &&
    ['linear', 'log'].includes(scale) &&
    typeof integer === 'boolean' &&
    Object.keys(others).length === 0;
  if (!isRange) throw wrong('a list, or a range such as {"min": 1e-5, "max": 1e-3, "scale": "log"}');
  if (scale === 'log' && min <= 0) throw wrong('a range above 0 for "scale": "log"');
}

function draw(rng: Rng, values: ParameterValues): unknown {
  if (isList(values)) return values[rng.int(0, values.length - 1)];
  const { min, max, scale = 'linear', integer = false } = values;
  const [low, high] = scale === 'log' ? [Math.log(min), Math.log(max)] : [min, max];
  const place = low + (high - low) * rng.uniform();
  const value = scale === 'log' ? Math.exp(place) : place;
  // digits that a person can read and write again
  return integer ? Math.round(value) : Number(value.toPrecision(4));
}

/**
 * The combinations of a sweep, without doubles, in a fixed order. The i-th that is drawn depends on the seed and i
 * alone, so that more runs of the same seed begin with the same.
 * @throws {UserError} for values that cannot be chosen from
 */
export function combinationsOf(description: SweepDescription, where: string): Combination[] {
  const { parameters = {}, method = 'grid', runs = 1, seed = 0 } = description;
  for (const [name, values] of Object.entries(parameters)) checkValues(name, values, method, where);
  const wanted =
    method === 'random'
      ? runs
      : Object.values(parameters).reduce((count, values) => count * (values as readonly unknown[]).length, 1);
  if (wanted > MOST_RUNS) {
    throw new UserError(`${where}: expected at most ${MOST_RUNS} combinations, found ${wanted}`);
  }
  const all: Combination[] =
    method === 'random'
      ? Array.from({ length: runs }, (_, i) =>
          Object.fromEntries(
            Object.entries(parameters).map(([name, values]) => [
              name,
              draw(Rng.of(seed, 'sweep', i, name), values),
            ]),
          ),
        )
      : Object.entries(parameters).reduce<Combination[]>(
          (combinations, [name, values]) =>
            combinations.flatMap((one) =>
              (values as readonly unknown[]).map((value) => ({ ...one, [name]: value })),
            ),
          [{}],
        );
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}
