/** @file What a decoder is made of: its parts in the order of the model, and their weights by name. */
import type { Folder } from '../common/folder.js';
import type { FloatType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import type { AdapterBase, AdapterTargets } from './adapter-names.js';
import type { DecoderConfig } from './decoder-config.js';
import {
  type DecoderLayer,
  type MatrixSource,
  makeLayer,
  makeNorm,
  normsOf,
  projectionsOf,
  type WeightSource,
} from './layer.js';
import type { LoraOptions } from './lora.js';
import { Embedding, Head, type MatrixPart, type ModelPart, type Norm, type Projection } from './parts.js';
import type { VocabularyCut } from './vocabulary-cut.js';
import { DenseWeight, type NamedTensors, SharedWeight } from './weight.js';
import { commonNames } from './weight-names.js';

/** How a decoder is made of its weights. */
export interface DecoderOptions {
  cut?: VocabularyCut | undefined;
  floatType?: FloatType;
  /** `floatType` when absent. */
  keptType?: FloatType | undefined;
  matrices?: MatrixSource | undefined;
}

/** Embeddings, blocks, norm and head, whatever runs them. */
export class DecoderParts {
  readonly config: DecoderConfig;
  /** What hidden states are computed in; trained weights stay float32 and are converted where used. */
  readonly floatType: FloatType;
  /** What frozen matrices and a cache of keys and values are kept in. */
  readonly keptType: FloatType;
  /** Where the weights came from: read again for some adapters, and its name is written into them. */
  source: Folder | undefined;
  /** What the adapter is, when there is one. */
  lora: LoraOptions | undefined;
  /** The type of the weights in the files that they came from: the one to save them in. */
  storedType: FloatType = 'float32';
  readonly embedTokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly norm: Norm;
  /** The tokens that embeddings and head have rows for, when it is not all of the configuration's. */
  readonly cut: VocabularyCut | undefined;
  /** [V, d]; the same matrix as that of `embedTokens` when they are tied. */
  readonly head: Head;

  constructor(
    config: DecoderConfig,
    weights: WeightSource,
    { cut, floatType = 'float32', keptType = floatType, matrices }: DecoderOptions = {},
  ) {
    this.config = config;
    this.cut = cut;
    this.floatType = floatType;
    this.keptType = keptType;
    const names = config.names ?? commonNames;
    const { hiddenSize: d } = config;
    const vocabSize = cut?.kept.length ?? config.vocabSize;
    const table = (name: string) => new DenseWeight(weights(`${name}.weight`, [vocabSize, d]) as tf.Tensor2D);
    const embeddings = config.tieWordEmbeddings
      ? new SharedWeight(table(names.embeddings))
      : table(names.embeddings);
    this.embedTokens = new Embedding(names.embeddings, embeddings);
    this.layers = Array.from({ length: config.numHiddenLayers }, (_, i) =>
      makeLayer(config, i, weights, (part) => `${names.layers}.${i}.${names.block[part]}`, matrices),
    );
    this.norm = makeNorm(config, weights, names.norm, d);
    this.head = new Head(
      names.head,
      embeddings instanceof SharedWeight ? embeddings.share() : table(names.head),
      { softCap: config.logitSoftCap },
    );
  }

  /** Every projection, in the order of the model. */
  projections(): Projection[] {
    return this.layers.flatMap(projectionsOf);
  }

  /** Every matrix that an adapter may lie on, in the order of the model. */
  matrices(): MatrixPart[] {
    return [this.embedTokens, ...this.projections(), this.head];
  }

  /** What an adapter may lie on, for the whole vocabulary. */
  adapterTargets(): AdapterTargets {
    const { tieWordEmbeddings, vocabSize } = this.config;
    return new Map(
      this.matrices().map(({ name, use, weight }) => {
        const [out, input] = weight.shape;
        const shape = [use === 'projection' ? out : vocabSize, input] as const;
        const tiedTo = use === 'head' && tieWordEmbeddings ? { tiedTo: this.embedTokens.name } : {};
        return [name, { use, shape, ...tiedTo }];
      }),
    );
  }

  /** What an adapter has to fit. */
  adapterBase(): AdapterBase {
    const targets = this.adapterTargets();
    const vectors = this.parts().flatMap((part) => part.vectors);
    const savable = new Map<string, readonly number[]>([
      ...vectors.map(({ name, base }) => [name, base.shape] as const),
      ...Array.from(targets, ([name, { shape }]) => [`${name}.weight`, shape] as const),
    ]);
    return { targets, savable, source: this.source, config: this.config };
  }

  /** Whether head and embeddings are one matrix now, with all that lies on them. */
  get isHeadTied(): boolean {
    const { weight } = this.head;
    return weight instanceof SharedWeight && weight.isSharedWith(this.embedTokens.weight);
  }

  /** Embeddings, norms, projections and head, in the order in which training and files list them. */
  parts(): ModelPart[] {
    return [this.embedTokens, ...this.layers.flatMap(normsOf), ...this.projections(), this.norm, this.head];
  }

  /** All weights of the base by their names in files; a tied head is not listed a second time. */
  weights(): Map<string, tf.Tensor> {
    const all = new Map(this.parts().flatMap((part) => part.baseTensors()));
    const [name, table] = this.head.baseTensors()[0]!;
    if (table === this.embedTokens.baseTensors()[0]![1]) all.delete(name);
    return all;
  }

  /** Variables that training changes: PEFT's names for an adapter, Hugging Face's for the base. */
  trainableVariables(): Map<string, tf.Variable> {
    const adapters = this.parts().flatMap((part) => part.adapterTensors());
    return trainable([...this.weights(), ...adapters]);
  }

  /** Bytes of all weights, and of the adapter where there is one. */
  get bytes(): number {
    return this.parts().reduce((sum, part) => sum + part.bytes, 0);
  }

  /** Gives back all memory of the weights and the adapter. */
  dispose(): void {
    for (const part of this.parts()) part.dispose();
  }
}

/** Those of tensors that training changes. */
function trainable(tensors: NamedTensors): Map<string, tf.Variable> {
  return new Map(
    tensors.filter(([, tensor]) => tensor instanceof tf.Variable && tensor.trainable) as [
      string,
      tf.Variable,
    ][],
  );
}

/** What training changes in a layer. */
export function trainedIn(layer: DecoderLayer): tf.Variable[] {
  const parts: ModelPart[] = [...normsOf(layer), ...projectionsOf(layer)];
  return [...trainable(parts.flatMap((part) => [...part.baseTensors(), ...part.adapterTensors()])).values()];
}
