import type { Rng } from '../../common/rng.js';
import { gridKey, gridsEqual, maxGridSide } from '../grid.js';
import type { Grid, Sample, Task } from '../types.js';
import { Draw } from './draw.js';
import { defaultKnobs, type Knobs } from './knobs.js';

/** A source of endless tasks of one kind. */
export interface TaskGenerator {
  readonly name: string;
  readonly family: string;
  /** The rule in one line. */
  readonly description: string;
  /** The smallest `maxSize` at which it works. */
  readonly smallest: number;
  /**
   * Makes a task: the same for the same state of `rng` and the same knobs.
   * @throws {RangeError} when `maxSize` is too small for it, or the knobs leave no task that shows its rule.
   */
  generate(rng: Rng, knobs?: Partial<Knobs>): Task;
}

/** A sample, and what of the rule can be learned from it. */
export interface RuleSample {
  readonly input: Grid;
  readonly output: Grid;
  /**
   * Parts of the rule that this sample uses, such as a colour of a map or the side that is kept: what a test sample
   * uses, a train sample shows.
   */
  readonly uses?: readonly number[];
}

/** What a generator is made from. */
export interface GeneratorDefinition {
  readonly name: string;
  readonly description: string;
  /** The smallest `maxSize` at which it works; 3 when absent. */
  readonly smallest?: number;
  /**
   * Draws the parameters that all samples of a task share, and returns what draws one sample. That may give
   * null when its draw fails; it is then called again.
   */
  rule(draw: Draw): () => RuleSample | null;
}

const rulesToTry = 200;
const samplesToTry = 30;

/**
 * Whether each part of the rule that a sample uses is shown by another sample, whichever is the test. Not asked
 * where each sample uses one part alone, such as one answer of two: the test's would then always be the one that
 * the train samples show once, and could be guessed without the test input.
 */
function allShown(samples: readonly RuleSample[]): boolean {
  const uses = new Map<number, number>();
  const parts = samples.map((sample) => new Set(sample.uses));
  if (parts.every(({ size }) => size <= 1)) return true;
  for (const part of parts.flatMap((set) => [...set])) uses.set(part, (uses.get(part) ?? 0) + 1);
  return [...uses.values()].every((count) => count > 1);
}

const isBlank = (grid: Grid) => grid.every((row) => row.every((color) => color === 0));

/** Different inputs that all change, none of it blank, and train outputs that differ; null when there are none. */
function drawSamples(
  sample: () => RuleSample | null,
  { trainSamples, testSamples }: Knobs,
): RuleSample[] | null {
  const count = trainSamples + testSamples;
  const samples: RuleSample[] = [];
  const inputs = new Set<string>();
  const outputs = new Set<string>();
  for (let attempt = 0; attempt < samplesToTry * count && samples.length < count; attempt++) {
    const drawn = sample();
    if (drawn === null || gridsEqual(drawn.input, drawn.output)) continue;
    if (isBlank(drawn.input) || isBlank(drawn.output)) continue;
    const input = gridKey(drawn.input);
    const output = gridKey(drawn.output);
    // were all train outputs the same, a constant would explain them; this is not asked of a single one
    const lastTrain = trainSamples > 1 && samples.length === trainSamples - 1;
    if (inputs.has(input) || (lastTrain && outputs.size === 1 && outputs.has(output))) continue;
    inputs.add(input);
    outputs.add(output);
    samples.push(drawn);
  }
  if (samples.length < count) return null;
  const shown = new Set(samples.slice(0, trainSamples).flatMap(({ uses = [] }) => uses));
  if (!samples.slice(trainSamples).every(({ uses = [] }) => uses.every((part) => shown.has(part))))
    return null;
  // so that train and test samples can be swapped; two train samples may be needed for two sides of a choice
  return trainSamples < 3 || allShown(samples) ? samples : null;
}

/** Makes the generators of one family from their definitions. */
export function defineFamily(family: string, definitions: readonly GeneratorDefinition[]): TaskGenerator[] {
  return definitions.map((definition) => defineGenerator(family, definition));
}

/** Makes a generator that only gives tasks that are well-formed and show their rule. */
function defineGenerator(
  family: string,
  { name, description, smallest = 3, rule }: GeneratorDefinition,
): TaskGenerator {
  return {
    name,
    family,
    description,
    smallest,
    generate(rng, partial) {
      const knobs = { ...defaultKnobs, ...partial };
      if (knobs.maxSize < smallest || knobs.maxSize > maxGridSide) {
        throw new RangeError(
          `it needs a maximum size from ${smallest} to ${maxGridSide}, not ${knobs.maxSize}`,
        );
      }
      for (let attempt = 0; attempt < rulesToTry; attempt++) {
        const samples = drawSamples(rule(new Draw(rng, knobs)), knobs);
        if (samples === null) continue;
        const plain = samples.map(({ input, output }): Sample => ({ input, output }));
        return { train: plain.slice(0, knobs.trainSamples), test: plain.slice(knobs.trainSamples) };
      }
      throw new RangeError(
        `${rulesToTry} attempts found none for ${JSON.stringify(knobs)}; allow larger grids, more colors or objects, ` +
          'or fewer samples',
      );
    },
  };
}
