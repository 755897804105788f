/**
 * @file What a submission that was killed has left: an append-only list beside submission.json of its answers, its
 * adapters and the time it has taken. `resume` continues it. Predictions that are asked for together are taken over
 * together or asked for again, all of them, because the last digit of a log-probability depends on the company.
 */
import { existsSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import type { Task } from '../arc/types.js';
import { messageOf, UserError } from '../common/errors.js';
import { fingerprintOf } from '../common/fingerprint.js';
import { type Identity, Journal, partialPath } from '../common/journal.js';
import type { Prediction } from '../evaluation/types.js';
import { fingerprintModel } from '../models/fingerprint.js';
import { submitOptions } from '../options/submit.js';
import type { OptionSpec } from '../options/table.js';
import type { SubmitFailure } from './ledger.js';
import { backendOf, type SubmitConfig } from './options.js';
import type { Plan, PlannedItem } from './plan.js';
import { type Answer, type Item, inputKey } from './protocol.js';

/** One line: what has happened, and how many seconds the submission had taken by then, all its parts together. */
export type Entry = { readonly seconds: number } & (
  | { readonly type: 'start'; readonly date: number }
  /** An answer; null where the prompt is too long for one. */
  | { readonly type: 'answer'; readonly item: Item; readonly answer: StoredAnswer | null }
  /** The adapter that fine-tuning gave a group, by its place in the output folder; null where it gave none. */
  | { readonly type: 'tuned'; readonly group: number; readonly adapter: string | null }
  | { readonly type: 'failure'; readonly failure: Omit<SubmitFailure, 'count'> }
  | { readonly type: 'time' }
);

/** JSON has no infinity: it becomes null. */
type StoredPrediction = Omit<Prediction, 'logProb'> & { readonly logProb: number | null };
type StoredAnswer = Omit<Answer, 'predictions'> & { readonly predictions: readonly StoredPrediction[] };

/** Where a submission is when it begins, or goes on. */
export interface Progress {
  /** Seconds that it has taken. */
  readonly seconds: number;
  /** When it first began, in ms since 1970. */
  readonly date: number;
  readonly answers: readonly { readonly item: PlannedItem; readonly answer: Answer | null }[];
  /** Whole chunks of the plan of which every answer is there. */
  readonly finished: ReadonlySet<Plan['chunks'][number]>;
  readonly tuned: ReadonlyMap<number, string | null>;
  readonly failures: readonly Omit<SubmitFailure, 'count'>[];
}

/** The part of what was left that still counts under a plan: a pure function. */
export function progressOf(entries: readonly Entry[], plan: Plan, date: number): Progress {
  // a plan may hold a million predictions
  const named = new Set(entries.flatMap((entry) => (entry.type === 'answer' ? [keyOf(entry.item)] : [])));
  const known = new Map<string, PlannedItem>();
  for (const item of named.size === 0 ? [] : plan.chunks.flatMap(({ items }) => items)) {
    if (named.has(keyOf(item))) known.set(keyOf(item), item);
  }
  const answers = new Map<PlannedItem, Answer | null>();
  const tuned = new Map<number, string | null>();
  const failures: Omit<SubmitFailure, 'count'>[] = [];
  for (const entry of entries) {
    if (entry.type === 'start') date = Math.min(date, entry.date);
    if (entry.type === 'tuned') tuned.set(entry.group, entry.adapter);
    if (entry.type === 'failure') failures.push(entry.failure);
    const item = entry.type === 'answer' ? known.get(keyOf(entry.item)) : undefined;
    if (entry.type === 'answer' && item) answers.set(item, restored(entry.answer));
  }
  // a search has not taken up what is predicted only now
  const planned = answers.size === 0 ? [] : plan.chunks.flatMap(({ items }) => items);
  const isMissing = (item: PlannedItem) => item.views === undefined && !answers.has(item);
  const incomplete = new Set(planned.filter(isMissing).map(inputKey));
  for (const item of [...answers.keys()]) {
    if (item.views !== undefined && incomplete.has(inputKey(item))) answers.delete(item);
  }
  const finished = new Set(plan.chunks.filter(({ items }) => items.every((item) => answers.has(item))));
  const isFinal = new Set([...finished].flatMap(({ items }) => items));
  return {
    seconds: Math.max(0, ...entries.slice(-1).map(({ seconds }) => seconds)),
    date,
    // that a prompt is too long is found out again where its company is asked again
    answers: [...answers].flatMap(([item, answer]) =>
      answer !== null || isFinal.has(item) ? [{ item, answer }] : [],
    ),
    finished,
    tuned,
    failures,
  };
}

const keyOf = ({ taskId, testIndex, i }: Item): string => `${taskId}/${testIndex}/${i}`;

const restored = (stored: StoredAnswer | null): Answer | null =>
  stored && {
    ...stored,
    predictions: stored.predictions.map((prediction) => ({
      ...prediction,
      logProb: prediction.logProb ?? Number.NEGATIVE_INFINITY,
    })),
  };

/** What the answers of a submission depend on: they are taken over only where all of it is the same. */
export function identityOf(
  config: SubmitConfig,
  parts: {
    readonly tasks: ReadonlyMap<string, Task>;
    readonly modelFolder: string;
    readonly adapter: string | null;
    readonly plan: Plan;
  },
): Identity {
  const { tasks, modelFolder, adapter, plan } = parts;
  const fixed = Object.entries<OptionSpec>(submitOptions.table).filter(
    ([name, { free, surroundings }]) =>
      !free && !surroundings && config[name as keyof SubmitConfig] !== undefined,
  );
  return {
    command: 'submit',
    'data set': fingerprintOf(tasks),
    model: fingerprintModel(modelFolder),
    adapter: adapter === null ? 'none' : fingerprintModel(adapter),
    backend: backendOf(config)!.name,
    'division of tasks into groups': fingerprintOf(plan.groups.map(({ taskIds }) => taskIds)),
    ...Object.fromEntries(
      fixed.map(([name]) => [`\`${name}\``, JSON.stringify(config[name as keyof SubmitConfig])]),
    ),
    // the first round has every test input with the length of its prompt, and the others are made of the same
    content: fingerprintOf(plan.chunks.flatMap(({ items }) => items.filter(({ i }) => i === 0))),
  };
}

/** What a submission has so far, on disk. */
export class PartialSubmission {
  readonly #journal: Journal<Entry>;
  readonly #outputDir: string;
  readonly #seconds: () => number;
  readonly #onFailure: (message: string) => void;

  constructor(
    journal: Journal<Entry>,
    outputDir: string,
    seconds: () => number,
    onFailure: (message: string) => void,
  ) {
    this.#journal = journal;
    this.#outputDir = outputDir;
    this.#seconds = seconds;
    this.#onFailure = onFailure;
  }

  answer({ taskId, testIndex, i }: Item, answer: Answer | null): void {
    this.#append({ type: 'answer', item: { taskId, testIndex, i }, answer });
  }

  tuned(group: number, adapter: string | null): void {
    const place = adapter === null ? null : relative(this.#outputDir, adapter);
    this.#append({ type: 'tuned', group, adapter: place });
  }

  /** Keeps failures that a submission that goes on does not meet again. */
  failure(failure: Omit<SubmitFailure, 'count'>): void {
    if (failure.stage === 'process' || failure.stage === 'fine-tune')
      this.#append({ type: 'failure', failure });
  }

  start(date: number): void {
    this.#append({ type: 'start', date });
  }

  time(): void {
    this.#append({ type: 'time' });
  }

  /** Ends it, when everything has become these files. */
  finish(results: readonly string[]): void {
    this.#journal.finish(results);
  }

  /** Closes it; what is in it can be continued. */
  close(): void {
    this.#journal.close();
  }

  #append(entry: DistributiveOmit<Entry, 'seconds'>): void {
    try {
      this.#journal.append({ seconds: this.#seconds(), ...entry } as Entry);
    } catch (error) {
      // what is missing is computed again
      this.#onFailure(messageOf(error));
    }
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/**
 * Opens the journal of a submission: a new one, or with `resume` the one that is there.
 * @throws {UserError} when there is none to continue, or that of another submission
 */
export function openPartial(
  submissionPath: string,
  resume: boolean,
  identity: () => Identity,
  onNote: (text: string) => void,
): Journal<Entry> {
  const path = partialPath(submissionPath);
  if (!resume) rmSync(path, { force: true });
  else if (!existsSync(path)) {
    if (existsSync(submissionPath)) {
      throw new UserError(
        `\`resume\`: ${submissionPath} is there, and no ${path} to continue: it is done. Leave \`resume\` out to start over`,
      );
    }
    onNote(`\`resume\`: there is no ${path} to continue: starting from nothing`);
  }
  return Journal.open<Entry>(path, identity(), {
    refuse: (found) =>
      new UserError(`\`resume\`: ${found}. Give what was given then, or leave \`resume\` out`),
  });
}
