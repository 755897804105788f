/** @file Steps of decoding as CUDA graphs: one launch in the place of some hundred operations that the host has to give. */
import { messageOf } from '../common/errors.js';
import * as tf from '../tensors/tf.js';
import type { TorchBackend } from '../tensors/torch/backend.js';
import type { CapturedGraph } from '../tensors/torch/graphs.js';
import type { Decoder } from './decoder.js';
import type { KvCache } from './kv-cache.js';

/** A step of so many sequences of so many positions. */
interface Step {
  /** Rows, slots and positions: int32 [3, size]. */
  readonly feed: tf.Tensor2D;
  readonly graph: CapturedGraph<tf.Tensor>;
}

/** The shortest span of a graph, in positions; longer ones are twice as long each. */
const LEAST_SPAN = 128;
/** A capture costs some steps: a size is decoded so often as it is before. */
const STEPS_BEFORE = 2;
/** Graphs that are kept: each holds the activations of a step. */
const MOST_GRAPHS = 12;

/** Whether a capture has failed in this process. */
let isOff = false;

/**
 * The steps of one decoder with one cache. Steps of all sizes have the same tensors of input; a size is a power of two,
 * and rows that are missing repeat the last one, which writes what that writes.
 */
export class DecodeGraphs {
  readonly #decoder: Decoder;
  readonly #cache: KvCache;
  readonly #backend: TorchBackend;
  /** By size and span, the one that was used last at the end. */
  readonly #steps = new Map<string, Step>();
  readonly #seen = new Map<string, number>();

  private constructor(decoder: Decoder, cache: KvCache, backend: TorchBackend) {
    this.#decoder = decoder;
    this.#cache = cache;
    this.#backend = backend;
  }

  /** For a decoder on a GPU; undefined where there are no graphs, or a step depends on numbers of the host. */
  static for(decoder: Decoder, cache: KvCache): DecodeGraphs | undefined {
    if (isOff) return undefined;
    if (cache.history || decoder.config.queryScale) return undefined;
    const backend = tf.backend() as Partial<TorchBackend>;
    if (tf.getBackend() !== 'torch' || !backend.torch?.usesCudaKernels || !backend.torch.graphs)
      return undefined;
    return new DecodeGraphs(decoder, cache, backend as TorchBackend);
  }

  /** Graphs that are held. */
  get size(): number {
    return this.#steps.size;
  }

  /**
   * Logits [n, V] of the next token of n sequences, one token fed to each; null where the step is to be done as usual.
   * They are overwritten by the next call.
   * @param slots all different
   */
  logits(tokens: Int32Array, slots: Int32Array, positions: Int32Array): tf.Tensor2D | null {
    if (isOff) return null;
    const n = tokens.length;
    const size = 2 ** Math.ceil(Math.log2(n));
    const longest = positions.reduce((most, position) => Math.max(most, position + 1), 0);
    if (longest > this.#cache.maxLength) return null;
    const span = Math.min(this.#cache.maxLength, Math.max(LEAST_SPAN, 2 ** Math.ceil(Math.log2(longest))));
    const key = `${size} ${span}`;
    let step = this.#steps.get(key);
    if (!step) {
      const seen = (this.#seen.get(key) ?? 0) + 1;
      this.#seen.set(key, seen);
      if (seen <= STEPS_BEFORE) return null;
    }
    const rows = this.#decoder.cut?.rows(tokens) ?? tokens;
    const feed = Int32Array.from([rows, slots, positions].flatMap((list) => padded(list, size)));
    step ??= this.#capture(feed, size, span);
    if (!step) return null;
    this.#steps.delete(key);
    this.#steps.set(key, step);
    this.#backend.assignIntegers(step.feed, feed);
    step.graph.replay();
    return tf.tidy(() => this.#backend.firstRows(step.graph.result as tf.Tensor2D, n));
  }

  #capture(values: Int32Array, size: number, span: number): Step | undefined {
    const feed = tf.tensor2d(values, [3, size], 'int32');
    const input = (row: number) => tf.reshape(tf.slice(feed, [row, 0], [1, size]), [size]) as tf.Tensor1D;
    try {
      this.#backend.assignIntegers(feed, values);
      const graph = this.#backend.capture(() => {
        const [rows, slots, positions] = [input(0), input(1), input(2)];
        return this.#decoder.nextLogits(
          { rows: rows!, slots: slots!, positions: positions! },
          this.#cache,
          span,
        );
      });
      if (!graph) throw new Error('there are no graphs');
      const oldest = this.#steps.size >= MOST_GRAPHS ? [...this.#steps.keys()][0]! : undefined;
      if (oldest !== undefined) this.#drop(oldest);
      return { feed, graph };
    } catch (error) {
      feed.dispose();
      this.dispose();
      isOff = true;
      this.#backend.warn(
        `decoding goes on without CUDA graphs: a step could not be captured: ${messageOf(error)}`,
      );
      return undefined;
    }
  }

  #drop(key: string): void {
    const { feed, graph } = this.#steps.get(key)!;
    graph.dispose();
    feed.dispose();
    this.#steps.delete(key);
    this.#seen.delete(key);
  }

  /** Gives back all memory. */
  dispose(): void {
    for (const key of [...this.#steps.keys()]) this.#drop(key);
  }

  /** Lets a process try again after a capture that failed. */
  static reset(): void {
    isOff = false;
  }
}

const padded = (list: Int32Array, size: number): number[] =>
  Array.from({ length: size }, (_, i) => list[Math.min(i, list.length - 1)]!);
