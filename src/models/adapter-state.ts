import type { LoraOptions } from './lora.js';
import type { HostTensor } from './safetensors.js';

/** One projection's part of an adapter on the host: a [rank, in], b [out, rank], magnitude [out]. */
export interface AdapterModule {
  a: HostTensor & { values: Float32Array };
  b: HostTensor & { values: Float32Array };
  magnitude?: HostTensor & { values: Float32Array };
  scaling: number;
  /** The rank that is trained, when the rest of A and B undoes PiSSA's change to the base. */
  initialRank?: number;
}

/** An adapter on the host: what an adapter folder holds, or what was trained in memory. */
export interface AdapterState {
  options: LoraOptions;
  /** By the projection's name, such as `model.layers.0.self_attn.q_proj`. */
  modules: Map<string, AdapterModule>;
  /** PEFT saved a PiSSA adapter as it is: it belongs to a base from which the principal part was taken. */
  pissaBase: boolean;
}
