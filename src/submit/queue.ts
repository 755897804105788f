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
    /** What a chunk of a later turn is worth; where nothing is said, turns and their order decide. */
    readonly worthOf?: ((chunk: Chunk) => number) | undefined;
  },
): { chunk: Chunk | null; queue: readonly Chunk[] } {
  const { preferred, strikes, most, worthOf } = options;
  let waiting = queue;
  while (waiting.length > 0) {
    const place = nextPlace(waiting, preferred, worthOf);
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

/** The first chunk of the lowest turn that needs no other model, or the first of that turn; later, the most valuable. */
function nextPlace(
  queue: readonly Chunk[],
  preferred: number | undefined,
  worthOf?: (chunk: Chunk) => number,
): number {
  let best = 0;
  for (const [place, chunk] of queue.entries()) {
    const [turn, lowest] = [chunk.turn, queue[best]!.turn];
    const isBetter = turn === lowest && chunk.group === preferred && queue[best]!.group !== preferred;
    if (turn < lowest || isBetter) best = place;
  }
  return worthOf === undefined || queue[best]!.turn === 0 ? best : mostValuable(queue, worthOf);
}

/** Of equal ones the first; of one task always its earliest turn. */
function mostValuable(queue: readonly Chunk[], worthOf: (chunk: Chunk) => number): number {
  const values = new Map<string | undefined, { place: number; turn: number }>();
  for (const [place, { taskId, turn }] of queue.entries()) {
    const known = values.get(taskId);
    if (known === undefined || turn < known.turn) values.set(taskId, { place, turn });
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
