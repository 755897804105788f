/**
 * @file Generation that loses nothing: answers are made in groups, and every group is kept on disk when it is done. An
 * answer's log-probability may depend, in its last bits, on the other answers of its batch; so which answers are
 * computed together is settled beforehand, and a run that continues another repeats whole groups.
 */
import { StoppedError } from '../common/errors.js';
import { type Identity, type Journal, partialPath } from '../common/journal.js';
import { openShared } from '../common/shared-journal.js';
import { digestOf } from '../generation/digest.js';
import {
  type Completion,
  type GenerateOptions,
  type GenerationProgress,
  type GenerationRequest,
  generate,
  noProgress,
} from '../generation/engine.js';
import type { GenerationTokenizer } from '../generation/vocabulary.js';
import type { Decoder } from '../models/decoder.js';
import { alone, type Sharers } from '../tensors/collective/alone.js';
import type { Sharing } from './sharing.js';

/**
 * Answers of a group, as multiples of the batch size. A kill loses a group: small ones at first, then at most half of
 * what was done before. At the end of each, sequences wait for the last one: 480 answers, 8 in parallel, took 17 % more
 * forward passes in groups of 4 times the batch size, 9 % more in groups of 8 times and 3 % in groups of 16 times.
 */
const ROUNDS = { least: 2, most: 16 };

/** The sizes of the groups that so many answers are cut into. */
function groupSizes(total: number, batchSize: number): number[] {
  const sizes: number[] = [];
  for (let done = 0; done < total; done += sizes.at(-1)!) {
    const rounds = Math.floor(done / (2 * batchSize));
    sizes.push(batchSize * Math.min(ROUNDS.most, Math.max(ROUNDS.least, rounds)));
  }
  return sizes;
}

/** A line of the journal: the answers of one group. */
export interface KeptGroup<T> {
  readonly group: number;
  readonly answers: readonly T[];
}

/** An answer to be made, and which samples of which requests it is for. */
interface AnswerItem {
  readonly request: GenerationRequest;
  readonly wanted: { readonly request: number; readonly sample: number }[];
}

/** Groups of answers that are computed together: a function of the requests, the temperature and the batch size. */
export function planGroups(
  requests: readonly GenerationRequest[],
  { temperature, batchSize = 8 }: Pick<GenerateOptions, 'temperature' | 'batchSize'>,
): AnswerItem[][] {
  const items = new Map<string, AnswerItem>();
  const grammars = [...new Set(requests.map(({ grammar }) => grammar))];
  for (const [i, request] of requests.entries()) {
    const { tokens, grammar, samples } = request;
    // greedy answers to one prompt are all the same
    const prompt = temperature === 0 ? `${digestOf(tokens)}/${grammars.indexOf(grammar)}` : undefined;
    for (let sample = 0; sample < samples; sample++) {
      const key = prompt ?? `${i}/${sample}`;
      const known = items.get(key);
      if (known) known.wanted.push({ request: i, sample });
      else {
        const one = { ...request, samples: 1, firstSample: sample };
        items.set(key, { request: one, wanted: [{ request: i, sample }] });
      }
    }
  }
  // the longest first: what does not fit into the memory is found at once, and a group's answers end together
  const sorted = [...items.values()].sort((a, b) => b.request.tokens.length - a.request.tokens.length);
  let end = 0;
  return groupSizes(sorted.length, batchSize).map((size) => {
    end += size;
    return sorted.slice(end - size, end);
  });
}

/** The journal of a generation. Without a file that the results go to there is no place for one. */
export type AnswerJournal = Journal<KeptGroup<Completion>>;

/**
 * Opens the journal beside a result file on each of the ranks that share a flow, once they agree on what it is for.
 * Each has one of its own; the first comes first, and takes over what an earlier run left in all. A process alone
 * just opens it.
 * @throws {UserError} when it cannot be written
 * @throws {RanksError} when the ranks differ
 */
export async function openTogether<T>(
  resultPath: string | undefined,
  identity: () => Identity,
  onNote: (text: string) => void,
  ranks: Sharers,
): Promise<Journal<T> | undefined> {
  // it takes a digest of all prompts: not made where nobody asks
  let known: Identity | undefined;
  const agreed = () => {
    known ??= identity();
    return known;
  };
  if (ranks.size > 1) await ranks.agree(agreed());
  if (resultPath === undefined) return ranks.inOrder(() => undefined);
  const options = { onNote, rank: ranks.rank };
  return ranks.inOrder(() => openShared<T>(partialPath(resultPath), agreed(), options));
}

/** What {@link computeKept} is told and tells. */
export interface KeepingOptions {
  /** What is computed, as a plural such as `answers`. */
  readonly what: string;
  readonly onNote: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** The processes that share the groups, and all get the results of all. */
  readonly ranks?: Sharers | undefined;
}

/**
 * Computes groups of items one after the other; those that the journal has are not computed again.
 * @param compute the items of a group; told how many items this process computes, of all groups
 * @throws {StoppedError} when the signal is aborted; the groups that are done are kept
 */
export async function computeKept<T>(
  groups: readonly { readonly length: number }[],
  compute: (group: number, missing: number) => Promise<readonly T[]>,
  journal: Journal<KeptGroup<T>> | undefined,
  { what, onNote, signal, ranks = alone }: KeepingOptions,
): Promise<(readonly T[])[]> {
  const results: (readonly T[] | undefined)[] = groups.map(() => undefined);
  for (const line of await ranks.first(() => journal?.found ?? [])) {
    // a line that was damaged and is still JSON
    if (!Array.isArray(line?.answers) || line.answers.length !== groups[line.group]?.length) continue;
    results[line.group] = line.answers;
  }
  const done = () => groups.reduce((sum, { length }, i) => sum + (results[i] ? length : 0), 0);
  const total = groups.reduce((sum, { length }) => sum + length, 0);
  const kept = done();
  if (kept > 0) onNote(`continuing: ${kept} of ${total} ${what} are there already`);
  const missing = [...groups.keys()].filter((group) => !results[group]);
  const costs = missing.map((group) => groups[group]!.length);
  const own = ranks.share(costs).map((i) => missing[i]!);
  const asked = own.reduce((sum, group) => sum + groups[group]!.length, 0);
  ranks.start();
  for (const group of own) {
    try {
      const answers = await compute(group, asked);
      journal?.append({ group, answers });
      results[group] = answers;
    } catch (error) {
      if (!signal?.aborted || error !== signal.reason) throw error;
      throw new StoppedError(stopped(done(), total, what, journal !== undefined));
    }
  }
  const parts = await ranks.gather(own.map((group) => [group, results[group]!] as const));
  for (const [group, answers] of parts.flat()) results[group] = answers;
  ranks.end();
  return results as (readonly T[])[];
}

/**
 * Answers every request, `samples` times each, as `generate` does; what the journal has is not computed again.
 * @throws {StoppedError} when the signal is aborted; the groups that are done are kept
 */
export async function generateKept(
  decoder: Decoder,
  tokenizer: GenerationTokenizer,
  requests: readonly GenerationRequest[],
  options: GenerateOptions & { onNote: (text: string) => void } & Sharing,
  journal: AnswerJournal | undefined,
): Promise<Completion[][]> {
  const groups = planGroups(requests, options);
  let now: GenerationProgress = noProgress(0);
  const compute = async (group: number, missing: number): Promise<Completion[]> => {
    const before = { ...now, total: missing };
    const asked = groups[group]!.map(({ request }) => request);
    const onProgress = (progress: GenerationProgress) => {
      now = addProgress(before, progress);
      options.onProgress?.(now);
    };
    return (await generate(decoder, tokenizer, asked, { ...options, onProgress })).flat();
  };
  const answers = await computeKept(groups, compute, journal, { ...options, what: 'answers' });
  const results: Completion[][] = requests.map(() => []);
  for (const [i, group] of groups.entries()) {
    for (const [j, { wanted }] of group.entries()) {
      for (const { request, sample } of wanted) results[request]![sample] = answers[i]![j]!;
    }
  }
  // a run without any answer leaves no file
  if (results.flat().every(({ reason }) => reason !== undefined)) journal?.finish([]);
  return results;
}

/** Says that a flow was stopped, and how it goes on. */
export function stopped(done: number, total: number, what: string, isKept: boolean): string {
  const how = isKept
    ? `${done} of ${total} ${what} are kept, and the same command continues`
    : `after ${done} of ${total} ${what}; they are kept only where there is an \`outputPath\``;
  return `stopped${isKept ? ':' : ''} ${how}`;
}

/** What groups came to together; `total` stays that of all. */
export function addProgress<P extends GenerationProgress>(before: P, now: P): P {
  const names = Object.keys(before) as (keyof P)[];
  const entries = names.map((name) => [
    name,
    (before[name] as number) + (name === 'total' ? 0 : (now[name] as number)),
  ]);
  return Object.fromEntries(entries) as P;
}
