/**
 * What several processes do together: the ranks 0 … size − 1 of a job. Every rank makes the same calls in the same
 * order; each call waits for the others.
 */
export interface Collective {
  readonly rank: number;
  readonly size: number;
  /** The number of this process among those of its machine: its GPU. */
  readonly localRank: number;
  /** What carries the messages, for a person: `MPI (Open MPI 4.1.4)`. */
  readonly name: string;
  /** Whether {@link allReduce} is meant for gradients, too: a star of sockets is not. */
  readonly sumsTensors: boolean;
  /** Sums over all ranks in place. Every rank has the same bits afterwards, and so has every run with as many ranks. */
  allReduce(values: Float32Array | Float64Array): Promise<void>;
  /** The bytes of each rank, by rank. They may be of any length, and of different ones. */
  allGather(bytes: Uint8Array): Promise<Uint8Array[]>;
  /** The root's bytes in place of everybody's; all are of one length. */
  broadcast(bytes: Uint8Array, root: number): Promise<void>;
  barrier(): Promise<void>;
  /** Leaves the job, when every rank does. */
  close(): Promise<void>;
  /** Ends all ranks at once: when one cannot go on, and the others would wait for it. */
  abort(code: number): never;
}

/** A sum over ranks of what each has gathered, in the order of ranks, so that all come to the same bits. */
export function sumInto(values: Float32Array | Float64Array, parts: readonly Uint8Array[]): void {
  const views = parts.map((part) => {
    const { buffer } = part.slice(); // aligned
    return values instanceof Float32Array ? new Float32Array(buffer) : new Float64Array(buffer);
  });
  for (let i = 0; i < values.length; i++) {
    let sum = 0;
    for (const view of views) sum += view[i]!;
    values[i] = sum;
  }
}

/** The memory of numbers, as bytes. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
