/** Ranks in one process: each call of one waits until all have made it, as between processes. */
import type { Collective } from '../../../src/tensors/collective/collective.js';
import { bytesOf, sumInto } from '../../../src/tensors/collective/collective.js';

interface Round {
  readonly parts: (Uint8Array | undefined)[];
  readonly all: Promise<Uint8Array[]>;
  readonly done: (parts: Uint8Array[]) => void;
}

export function collectivesOf(size: number): Collective[] {
  const begin = (): Round => {
    let done = (_: Uint8Array[]) => {};
    const all = new Promise<Uint8Array[]>((resolve) => {
      done = resolve;
    });
    return { parts: new Array(size).fill(undefined), all, done };
  };
  let round = begin();
  return Array.from({ length: size }, (_, rank): Collective => {
    const allGather = (bytes: Uint8Array) => {
      const { parts, done, all } = round;
      parts[rank] = bytes.slice();
      if (!parts.includes(undefined)) {
        done(parts as Uint8Array[]);
        round = begin();
      }
      return all;
    };
    return {
      ...{ rank, size, localRank: rank, name: 'one process', sumsTensors: true, allGather },
      allReduce: async (values) => sumInto(values, await allGather(bytesOf(values))),
      async broadcast(bytes, root) {
        const parts = await allGather(rank === root ? bytes : new Uint8Array());
        if (rank !== root) bytes.set(parts[root]!);
      },
      barrier: async () => void (await allGather(new Uint8Array())),
      close: async () => {},
      abort(code) {
        throw new Error(`aborted with ${code}`);
      },
    };
  });
}
