/** @file The predictions that wait: in rounds, so that every test input has had its share whenever time ends. */
import type { Chunk, PlannedItem } from './plan.js';

/**
 * Takes what is to be done next: of the lowest round, and within it about the group whose model is loaded already.
 * Tasks that failed are asked alone, and no more at all after `most` failures.
 * @param strikes how often a task of a group has failed
 */
export function takeChunk(
  queue: readonly Chunk[],
  options: {
    readonly preferred?: number | undefined;
    readonly strikes: (group: number, taskId: string) => number;
    readonly most: number;
    /** Whether a chunk can be begun; where nothing is said all can. */
    readonly isReady?: ((chunk: Chunk, queue: readonly Chunk[]) => boolean) | undefined;
    /** What a chunk of a later turn is worth; where nothing is said, turns and their order decide. */
    readonly worthOf?: ((chunk: Chunk) => number) | undefined;
  },
): { chunk: Chunk | null; queue: readonly Chunk[] } {
  const { strikes, most } = options;
  let waiting = queue;
  while (waiting.length > 0) {
    const place = nextPlace(waiting, options);
    if (place === null) break;
    const chosen = waiting[place]!;
    const { group, items } = chosen;
    const others = waiting.toSpliced(place, 1);
    const wanted = items.filter(({ taskId }) => strikes(group, taskId) < most);
    const sound = wanted.filter(({ taskId }) => strikes(group, taskId) === 0);
    if (wanted.length === 1 || (wanted.length > 0 && sound.length === wanted.length)) {
      return { chunk: withItems(chosen, wanted), queue: others };
    }
    const alone = wanted.filter((item) => !sound.includes(item)).map((item) => withItems(chosen, [item]));
    waiting = [...(sound.length > 0 ? [withItems(chosen, sound)] : []), ...alone, ...others];
  }
  return { chunk: null, queue: waiting };
}

/** A part of a chunk. */
export function withItems(chunk: Chunk, items: readonly PlannedItem[]): Chunk {
  const part = items.length / chunk.items.length;
  if (part === 1) return chunk;
  const { tune, prompt, answer } = chunk.tokens;
  return { ...chunk, items, tokens: { tune, prompt: part * prompt, answer: part * answer } };
}

/**
 * Of the chunks that can be begun, the first of the lowest turn that needs no other model, or the first of that turn;
 * later, the most valuable. Null when all that wait have to wait longer.
 */
function nextPlace(
  queue: readonly Chunk[],
  { preferred, isReady = () => true, worthOf }: Omit<Parameters<typeof takeChunk>[1], 'strikes' | 'most'>,
): number | null {
  let best: number | null = null;
  for (const [place, chunk] of queue.entries()) {
    const rival = best === null ? undefined : queue[best]!;
    const isBetter =
      rival === undefined ||
      chunk.turn < rival.turn ||
      (chunk.turn === rival.turn && chunk.group === preferred && rival.group !== preferred);
    if (isBetter && isReady(chunk, queue)) best = place;
  }
  return best === null || worthOf === undefined || queue[best]!.turn === 0
    ? best
    : mostValuable(queue, (chunk) => isReady(chunk, queue), worthOf);
}

/** Of equal ones the first; of one task always its earliest turn. */
function mostValuable(
  queue: readonly Chunk[],
  isReady: (chunk: Chunk) => boolean,
  worthOf: (chunk: Chunk) => number,
): number {
  const values = new Map<string | undefined, { place: number; turn: number }>();
  for (const [place, chunk] of queue.entries()) {
    const known = values.get(chunk.taskId);
    if (known !== undefined && known.turn <= chunk.turn) continue;
    if (isReady(chunk)) values.set(chunk.taskId, { place, turn: chunk.turn });
  }
  let best = { place: 0, value: Number.NEGATIVE_INFINITY };
  for (const { place } of values.values()) {
    const value = worthOf(queue[place]!);
    if (value > best.value) best = { place, value };
  }
  return best.place;
}

/** What a request that failed has left, as two requests in front of the others. */
export function halves(chunk: Chunk, items: readonly PlannedItem[]): Chunk[] {
  const middle = Math.ceil(items.length / 2);
  return [withItems(chunk, items.slice(0, middle)), withItems(chunk, items.slice(middle))];
}
