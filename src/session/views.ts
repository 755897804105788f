/** The views of a task: the augmentations under which a model is asked about it. */
import { type Augmentation, drawColorMap, identityAugmentation } from '../arc/augmentation.js';
import { colorCount } from '../arc/grid.js';
import type { Task } from '../arc/types.js';
import { Rng } from '../common/rng.js';
import type { augmentationOptions } from '../options/decoding.js';
import type { OptionsOf } from '../options/table.js';
import type { PromptTask } from '../prompts/prompt-kind.js';
import { hasCode } from '../prompts/prompt-tasks.js';

/** What a view may change. */
export type AugmentationToggles = OptionsOf<typeof augmentationOptions>;

/** What views may change for prompts of a task: code says directions and colours, and stands in the place of examples. */
export function togglesFor(asksFor: PromptTask, toggles: AugmentationToggles): AugmentationToggles {
  if (!hasCode(asksFor)) return toggles;
  return { geometricAugmentation: false, colorAugmentation: false, orderAugmentation: false };
}

/** Quarter turns, without and with a flip. */
const symmetryCount = 8;

/** The colour maps and orders that views with one symmetry have had. */
interface Drawn {
  readonly colors: Set<string>;
  readonly orders: Set<string>;
  readonly pairs: Set<string>;
}

/**
 * The views of one task, in the order in which they are used. No two are alike: the first changes nothing; eight in
 * a row have the eight symmetries; views of one symmetry have different colours and different orders of the train
 * samples as long as there are any, and then different pairs of the two. Colours count as different where the task
 * shows them. The i-th view depends on the seed, the task's name and the task only, not on how many are asked for.
 */
export class TaskViews {
  /** How many views there are. */
  readonly total: number;
  readonly #name: readonly [seed: number, taskId: string];
  readonly #toggles: Required<AugmentationToggles>;
  readonly #symmetries: readonly number[];
  readonly #usedColors: readonly number[];
  readonly #trainCount: number;
  readonly #colorMaps: number;
  readonly #orders: number;
  readonly #drawn: readonly Drawn[];
  readonly #views: Augmentation[] = [];

  constructor(
    seed: number,
    taskId: string,
    task: Task,
    { geometricAugmentation = true, colorAugmentation = true, orderAugmentation = true }: AugmentationToggles,
  ) {
    this.#name = [seed, taskId];
    this.#toggles = { geometricAugmentation, colorAugmentation, orderAugmentation };
    const others = Array.from({ length: symmetryCount - 1 }, (_, i) => i + 1);
    this.#symmetries = geometricAugmentation
      ? [0, ...Rng.of(seed, taskId, 'symmetries').shuffle(others)]
      : [0];
    this.#usedColors = shownColors(task);
    this.#trainCount = task.train.length;
    this.#colorMaps = colorAugmentation ? permutations(colorCount, this.#usedColors.length) : 1;
    this.#orders = orderAugmentation ? permutations(this.#trainCount, this.#trainCount) : 1;
    this.#drawn = this.#symmetries.map(() => ({ colors: new Set(), orders: new Set(), pairs: new Set() }));
    this.total = this.#symmetries.length * this.#colorMaps * this.#orders;
  }

  /** The i-th view; where there are no more they begin again. */
  at(i: number): Augmentation {
    const index = i % this.total;
    while (this.#views.length <= index) this.#views.push(this.#draw(this.#views.length));
    return this.#views[index]!;
  }

  #draw(i: number): Augmentation {
    const place = i % this.#symmetries.length;
    const symmetry = this.#symmetries[place]!;
    const drawn = this.#drawn[place]!;
    const rng = Rng.of(...this.#name, i);
    for (;;) {
      const view = i === 0 ? identityAugmentation : this.#drawOne(symmetry, drawn, rng);
      const [colors, order] = [this.#colorsOf(view), this.#orderOf(view)];
      const pair = `${colors}/${order}`;
      if (drawn.pairs.has(pair)) continue;
      drawn.pairs.add(pair);
      drawn.colors.add(colors);
      drawn.orders.add(order);
      return view;
    }
  }

  /** A view whose colours and whose order are new, of whichever there are new ones. */
  #drawOne(symmetry: number, { colors, orders }: Drawn, rng: Rng): Augmentation {
    const { colorAugmentation, orderAugmentation } = this.#toggles;
    const train = identityOrder(this.#trainCount);
    let view: Augmentation = { ...identityAugmentation, flip: symmetry >= 4, rotations: symmetry % 4 };
    if (colorAugmentation) {
      do view = { ...view, colorMap: drawColorMap(rng) };
      while (colors.size < this.#colorMaps && colors.has(this.#colorsOf(view)));
    }
    if (orderAugmentation) {
      do view = { ...view, trainOrder: rng.shuffle(train) };
      while (orders.size < this.#orders && orders.has(this.#orderOf(view)));
    }
    return view;
  }

  #colorsOf({ colorMap }: Augmentation): string {
    return this.#usedColors.map((color) => colorMap[color]).join();
  }

  #orderOf({ trainOrder = identityOrder(this.#trainCount) }: Augmentation): string {
    return trainOrder.join();
  }
}

const identityOrder = (count: number) => Array.from({ length: count }, (_, i) => i);

/** The colours of all grids that a model is shown: not those of the outputs that it is asked for. */
function shownColors({ train, test }: Task): number[] {
  const grids = [...train.flatMap(({ input, output }) => [input, output]), ...test.map(({ input }) => input)];
  return [...new Set(grids.flat(2))].sort((a, b) => a - b);
}

/** In how many ways `chosen` of `count` things can be put into a row. */
function permutations(count: number, chosen: number): number {
  let product = 1;
  for (let i = 0; i < chosen; i++) product *= count - i;
  return product;
}
