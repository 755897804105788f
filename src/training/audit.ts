/**
 * @file What a training stream is made of, without a model: which samples of which tasks are targets, are shown, or are
 * never seen. It walks the very stream that a run takes its samples from.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { SampleOrigin } from '../arc/types.js';
import type { PromptTask } from '../prompts/prompt-kind.js';
import { isAboutTest, samplesShown } from '../prompts/prompt-tasks.js';
import type { TrainingSample } from './sample.js';
import type { DrawnSample, SampleSource } from './sample-source.js';
import { almostNothingFits } from './sample-stream.js';

/** How often each sample of a task was what a prompt asked for, and how often a prompt showed it. */
export interface SampleCounts {
  readonly targets: number[];
  readonly shown: number[];
}

/** What became of a variant of a task. */
export interface TaskAudit {
  readonly taskId: string;
  readonly variant: number;
  /** Samples of the stream that were made of it. */
  samples: number;
  /** Places of the stream that were passed over because its prompt did not fit. */
  tooLong: number;
  readonly train: SampleCounts;
  readonly test: SampleCounts;
  /** How many of its test samples have an output. */
  readonly knownTests: number;
}

/** How often each change of a task was drawn. */
export interface ChangeCounts {
  /** By `rotations + 4 * flip`. */
  readonly symmetries: number[];
  /** Samples whose colours were permuted. */
  colors: number;
  /** Samples whose train samples came in another order. */
  orders: number;
  /** Samples of a task that was made into another one. */
  otherTasks: number;
  /** Changes that made another task, by their kind. */
  readonly transforms: Record<string, number>;
}

/** What became of a data set in one prompt kind. */
export interface PairAudit {
  readonly dataset: string;
  readonly kind: string;
  /** What the kind asks for. */
  readonly asksFor: PromptTask;
  /** The part of the stream that it is meant to have. */
  readonly share: number;
  samples: number;
  tooLong: number;
  /** Tokens of the shortest prompt that did not fit; null where all did. */
  shortestTooLong: number | null;
  readonly tasks: readonly TaskAudit[];
  readonly changes: ChangeCounts;
  /** Samples that were cut into tokens to see how they end. */
  checkedEnds: number;
  /** Those of them whose last token is not the end of an answer, or is not counted by the loss. */
  badEnds: number;
  /** Samples whose prompt shows the very sample that it asks for. */
  shownTargets: number;
}

/** What was found on a walk along a stream. */
export interface StreamAudit {
  /** Samples that a run would have learned from. */
  readonly samples: number;
  /** How many a run takes. */
  readonly wanted: number;
  readonly pairs: readonly PairAudit[];
}

/** Options of {@link auditStream}. */
export interface AuditWalk {
  /** Samples that the run takes. */
  readonly wanted: number;
  /** The most that are looked at; all by default. */
  readonly limit?: number;
  /** The most prompts that are cut into tokens to learn whether they fit; of later ones it is assumed. */
  readonly tokenized?: number;
  /** The token that ends an answer. */
  readonly endOfTurnId: number;
  readonly onProgress?: (samples: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Prompts of each pair that are cut into tokens to see how they end, though it is known that they fit. */
const ENDS = 16;
/** Samples between two looks at the clock of others. */
const STRIDE = 256;

/**
 * Follows a stream from its beginning, drawing as the run will. Prompts are only cut into tokens where their bytes do
 * not show that they fit, since no token of a byte-level tokenizer is shorter than a byte.
 */
export async function auditStream(source: SampleSource, walk: AuditWalk): Promise<StreamAudit> {
  const { wanted, limit = Number.POSITIVE_INFINITY, tokenized = Number.POSITIVE_INFINITY } = walk;
  const count = new Counter(source, walk.endOfTurnId);
  const most = Math.min(wanted, limit);
  let samples = 0;
  let seen = 0;
  for (let left = tokenized; samples < most && !almostNothingFits(seen, samples); seen++) {
    const drawn = source.draw(seen);
    const isExact = left > 0 && count.needsTokens(drawn);
    if (isExact) left--;
    const item = isExact ? source.item(seen) : undefined;
    if (item && 'tooLong' in item) count.passOver(drawn, item.tooLong);
    else {
      count.add(drawn, item);
      samples++;
    }
    if (seen % STRIDE === 0) {
      walk.onProgress?.(samples);
      await turn();
      if (walk.signal?.aborted) break;
    }
  }
  walk.onProgress?.(samples);
  return { samples, wanted, pairs: count.pairs };
}

/** The audit as it grows. */
class Counter {
  readonly pairs: readonly PairAudit[];
  readonly #tasks: readonly ReadonlyMap<string, TaskAudit>[];
  readonly #places: ReadonlyMap<unknown, number>;
  readonly #source: SampleSource;
  readonly #endOfTurnId: number;

  constructor(source: SampleSource, endOfTurnId: number) {
    this.#source = source;
    this.#endOfTurnId = endOfTurnId;
    const { drawable } = source;
    const total = drawable.reduce((sum, { pair }) => sum + pair.weight, 0);
    this.#places = new Map(drawable.map(({ pair }, i) => [pair, i]));
    this.#tasks = drawable.map(
      ({ tasks }) => new Map(tasks.flat().map((entry) => [keyOf(entry), emptyTask(entry)])),
    );
    this.pairs = drawable.map(({ pair }, i) => ({
      dataset: pair.label,
      kind: pair.kind,
      asksFor: pair.asksFor,
      share: pair.weight / total,
      samples: 0,
      tooLong: 0,
      shortestTooLong: null,
      tasks: [...this.#tasks[i]!.values()],
      changes: {
        symmetries: new Array<number>(8).fill(0),
        colors: 0,
        orders: 0,
        otherTasks: 0,
        transforms: {},
      },
      checkedEnds: 0,
      badEnds: 0,
      shownTargets: 0,
    }));
  }

  /** Whether a prompt has to be cut into tokens. */
  needsTokens({ pair, task, testIndex }: DrawnSample): boolean {
    if (this.pairs[this.#places.get(pair)!]!.checkedEnds < ENDS) return true;
    const most = pair.prompts.mostTokens?.(task, testIndex);
    return most === undefined || most > this.#source.options.maxSeqLen;
  }

  passOver(drawn: DrawnSample, tokens: number): void {
    const [pair, task] = this.#of(drawn);
    pair.tooLong++;
    task.tooLong++;
    pair.shortestTooLong = Math.min(pair.shortestTooLong ?? tokens, tokens);
  }

  add(drawn: DrawnSample, item: TrainingSample | undefined): void {
    const [pair, entry] = this.#of(drawn);
    const { task, testIndex } = drawn;
    pair.samples++;
    entry.samples++;
    const { asksFor } = drawn.pair;
    const target = isAboutTest(asksFor) ? originOf(task.test[testIndex]!, drawn) : undefined;
    if (target) entry[target.set].targets[target.index]!++;
    const fitted = { ...task, train: task.train.slice(0, item?.examples) };
    for (const sample of samplesShown(asksFor, fitted, testIndex)) {
      const { set, index } = originOf(sample, drawn);
      entry[set].shown[index]!++;
      if (set === target?.set && index === target.index) pair.shownTargets++;
    }
    countChanges(pair.changes, drawn);
    if (item) {
      pair.checkedEnds++;
      if (!this.#endsWell(item)) pair.badEnds++;
    }
  }

  /** The last token ends the answer, and the loss counts it. */
  #endsWell({ tokens, labelSpans }: TrainingSample): boolean {
    return tokens.at(-1) === this.#endOfTurnId && labelSpans.at(-1)?.[1] === tokens.length;
  }

  #of(drawn: DrawnSample): [PairAudit, TaskAudit] {
    const place = this.#places.get(drawn.pair)!;
    return [this.pairs[place]!, this.#tasks[place]!.get(keyOf(drawn))!];
  }
}

const keyOf = ({ taskId, variant }: { taskId: string; variant: number }) => `${variant} ${taskId}`;

function emptyTask({ taskId, variant, task }: Pick<DrawnSample, 'taskId' | 'variant' | 'task'>): TaskAudit {
  const counts = ({ length }: readonly unknown[]): SampleCounts => ({
    targets: new Array<number>(length).fill(0),
    shown: new Array<number>(length).fill(0),
  });
  const knownTests = task.test.filter(({ output }) => output !== undefined).length;
  return {
    taskId,
    variant,
    samples: 0,
    tooLong: 0,
    train: counts(task.train),
    test: counts(task.test),
    knownTests,
  };
}

function originOf(
  { origin }: { readonly origin?: SampleOrigin },
  { index, taskId }: DrawnSample,
): SampleOrigin {
  if (origin) return origin;
  throw new Error(
    `sample ${index} of the stream, task ${taskId}: a change has lost where its samples come from`,
  );
}

function countChanges(changes: ChangeCounts, { view, taskAugmentation }: DrawnSample): void {
  const moves = (list: readonly number[] | undefined) => list?.some((to, from) => to !== from) ?? false;
  if (view) {
    changes.symmetries[view.rotations + (view.flip ? 4 : 0)]!++;
    if (moves(view.colorMap)) changes.colors++;
    if (moves(view.trainOrder)) changes.orders++;
  }
  if (taskAugmentation) changes.otherTasks++;
  for (const { kind } of taskAugmentation?.transforms ?? []) {
    changes.transforms[kind] = (changes.transforms[kind] ?? 0) + 1;
  }
}
