import type * as tf from '../tensors/tf.js';

/**
 * How the adapter's matrices start. `pissa` takes the principal part of the base weight out of it, `olora` the first
 * part of its QR decomposition.
 */
export type LoraInit = 'default' | 'gaussian' | 'pissa' | 'olora';

/** A low-rank adapter (Hu et al. 2021), as asked for. */
export interface LoraOptions {
  rank: number;
  alpha: number;
  /** The probability of dropping an element of the adapter's input in training. */
  dropout: number;
  /** Names or ends of names, such as `q_proj`; without it the projections of attention. */
  targetModules?: string[];
  /** The same for what is left out of them. */
  excludeModules?: string[];
  /** Modules that are trained as a whole, by the ends of their names (PEFT's `modules_to_save`). */
  modulesToSave?: string[];
  /** Ranks and alphas of their own, by PEFT's patterns for names. */
  rankPattern?: Readonly<Record<string, number>>;
  alphaPattern?: Readonly<Record<string, number>>;
  /** Scale by alpha / √rank instead of alpha / rank (rsLoRA, Kalajdzievski 2023). */
  useRslora: boolean;
  /** Train magnitude and direction apart (DoRA, Liu et al. 2024). */
  useDora: boolean;
  init: LoraInit;
}

/** The projections that get an adapter when none are named. */
export const defaultTargetModules = ['q_proj', 'k_proj', 'v_proj', 'o_proj'];

/** Projections that some models have in one matrix, by the end of its name: who names all of them means that one. */
export const fusedParts: Readonly<Record<string, readonly string[]>> = {
  qkv_proj: ['q_proj', 'k_proj', 'v_proj'],
  gate_up_proj: ['gate_proj', 'up_proj'],
};

/** The factor on B · A. */
export function loraScaling(alpha: number, rank: number, useRslora: boolean): number {
  return alpha / (useRslora ? Math.sqrt(rank) : rank);
}

/** The adapter of one matrix: A [rank, in], B [out, rank] and, for DoRA, the magnitudes. */
export interface LoraAdapter {
  a: tf.Variable;
  b: tf.Variable;
  /** Of each row [out]; of a table of embeddings of each column [in]. */
  magnitude?: tf.Variable;
  scaling: number;
  dropout: number;
  /** What PiSSA took out of the base weight, needed to save an adapter for the untouched base. */
  initial?: { a: tf.Tensor2D; b: tf.Tensor2D };
}
