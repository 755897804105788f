import type { LoraOptions } from './lora.js';
import type { HostTensor } from './tensor-file.js';

/** Floating-point numbers on the host. */
export type FloatsOnHost = HostTensor & { values: Float32Array };

/**
 * One matrix' part of an adapter on the host: a [rank, in], b [out, rank], magnitude [out] or, of a table of
 * embeddings, [in]. Embeddings and head have the rows of the whole vocabulary.
 */
export interface AdapterModule {
  a: FloatsOnHost;
  b: FloatsOnHost;
  magnitude?: FloatsOnHost;
  scaling: number;
  /** The rank that is trained, when the rest of A and B undoes PiSSA's change to the base. */
  initialRank?: number;
}

/** An adapter on the host: what an adapter folder holds, or what was trained in memory. */
export interface AdapterState {
  options: LoraOptions;
  /** By the matrix' name, such as `model.layers.0.self_attn.q_proj`. */
  modules: Map<string, AdapterModule>;
  /** What it has in the place of the base's weights (PEFT's `modules_to_save`), by their names in the base's files. */
  saved: Map<string, FloatsOnHost>;
  /** PEFT saved a PiSSA adapter as it is: it belongs to a base from which the principal part was taken. */
  pissaBase: boolean;
  /** PEFT has trained one adapter for embeddings and head (`ensure_weight_tying`). */
  areTablesTied?: boolean;
}
