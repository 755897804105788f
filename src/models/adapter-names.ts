import type { Folder } from '../common/folder.js';
import type { DecoderConfig } from './decoder-config.js';

/** PEFT's names of the two files of an adapter folder. */
export const adapterConfigName = 'adapter_config.json';
export const adapterWeightsName = 'adapter_model.safetensors';
/** The weights as PEFT wrote them before it wrote safetensors, and writes them with `safe_serialization=False`. */
export const torchWeightsName = 'adapter_model.bin';

/**
 * Set in the header of adapter_model.safetensors when its second half undoes the change to the base that training began
 * with (PiSSA, OLoRA): PEFT sees a plain LoRA of twice the rank, and training can be continued from the first half.
 */
export const initialRankKey = 'arclab_pissa_rank';
/** What training began with then; `pissa` when it is absent. */
export const initKey = 'arclab_init';

/** What a matrix of a model is used as, by which PEFT has rules of its own for adapters on it. */
export type MatrixUse = 'projection' | 'embedding' | 'head';

/** A matrix that an adapter may lie on. */
export interface AdapterTarget {
  readonly use: MatrixUse;
  /** Those of embeddings and head are of the whole vocabulary. */
  readonly shape: readonly [out: number, input: number];
  /** Of a head that is the embedding table, the table's name. */
  readonly tiedTo?: string;
}

/** The matrices that an adapter may lie on, by the name that PEFT has for each. */
export type AdapterTargets = ReadonlyMap<string, AdapterTarget>;

/** The base that an adapter is read for. */
export interface AdapterBase {
  readonly targets: AdapterTargets;
  /** The shapes of all that an adapter may have in the place of the base's, by name. */
  readonly savable: ReadonlyMap<string, readonly number[]>;
  /** Its files, where it has any. */
  readonly source: Folder | undefined;
  readonly config: DecoderConfig;
}

const ordinaryNames = { a: 'lora_A.weight', b: 'lora_B.weight', magnitude: 'lora_magnitude_vector' } as const;

/** The change of a table is s · (B · A)ᵀ with A [rank, V] and B [d, rank]: what are b and a here, transposed. */
const tableNames = { ...ordinaryNames, a: 'lora_embedding_B', b: 'lora_embedding_A' } as const;

/** What PEFT calls the tensors of an adapter, behind the name of the module. */
export function adapterTensorNames(use: MatrixUse): Record<'a' | 'b' | 'magnitude', string> {
  return use === 'embedding' ? tableNames : ordinaryNames;
}
