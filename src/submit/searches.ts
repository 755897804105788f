/** @file Searches: each takes up what was predicted for its test input, so that it waits for that. */
import type { Chunk } from './plan.js';
import { inputKey } from './protocol.js';
import type { Turn } from './turn.js';

/** Whether a chunk of a queue can be begun: a search only when nothing else about its test input is left to do. */
export function readiness({ workers }: Turn): (chunk: Chunk, queue: readonly Chunk[]) => boolean {
  let known: { queue: readonly Chunk[]; inputs: ReadonlySet<string> } | undefined;
  const pendingIn = (queue: readonly Chunk[]): ReadonlySet<string> => {
    if (known?.queue === queue) return known.inputs;
    const running = workers.flatMap(({ process }) => {
      if (process?.activity.type === 'predict') return process.activity.left;
      return process && 'chunk' in process.activity ? process.activity.chunk.items : [];
    });
    const items = [...running, ...queue.flatMap((chunk) => chunk.items)];
    known = { queue, inputs: new Set(items.filter(({ views }) => views === undefined).map(inputKey)) };
    return known.inputs;
  };
  return ({ items }, queue) =>
    items.every((item) => item.views === undefined || !pendingIn(queue).has(inputKey(item)));
}
