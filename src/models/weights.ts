import { type Folder, readJsonOf } from '../common/folder.js';
import { partsOf } from '../common/foreign-name.js';
import { compileSchema } from '../common/schema.js';
import { type FloatType, toFloatType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import type { AdapterBase } from './adapter-names.js';
import { Decoder } from './decoder.js';
import type { DecoderConfig } from './decoder-config.js';
import { ModelFileError } from './errors.js';
import { familyOf } from './families/index.js';
import { isFloatingPoint } from './number-formats.js';
import { SafetensorsReader } from './tensor-file.js';
import type { VocabularyCut } from './vocabulary-cut.js';
import { vocabularyWeights } from './weight-names.js';

/** What a decoder of a configuration is made of, by the names of its files. */
export interface ModelShapes {
  /** Every weight. */
  weights: Map<string, readonly number[]>;
  /** The matrices [out, in] of the projections of blocks, by name. */
  projections: Map<string, readonly [out: number, input: number]>;
  /** What adapters have to fit. */
  base: AdapterBase;
}

/** The names and shapes of all that a decoder of this configuration asks for. */
export function modelShapes(config: DecoderConfig): ModelShapes {
  const weights = new Map<string, readonly number[]>();
  // a dry construction: the decoder only stores what it is handed
  const dry = new Decoder(config, (name, shape) => {
    weights.set(name, shape);
    return { shape } as tf.Tensor;
  });
  const projections = new Map(dry.projections().map(({ name, weight }) => [name, weight.shape] as const));
  return { weights, projections, base: dry.adapterBase() };
}

/** What an adapter for the model in a folder has to fit. */
export function adapterBase(source: Folder, config: DecoderConfig): AdapterBase {
  return { ...modelShapes(config).base, source };
}

/** The names and shapes of all weights that a decoder of this configuration asks for. */
export function weightShapes(config: DecoderConfig): Map<string, readonly number[]> {
  return modelShapes(config).weights;
}

const validateIndex = compileSchema<{ weight_map: Record<string, string> }>(
  {
    type: 'object',
    required: ['weight_map'],
    properties: { weight_map: { type: 'object', additionalProperties: { type: 'string' } } },
  },
  'an index of safetensors shards',
);

/** The weights of a model folder, in one file or in shards with an index. Tensors are read when asked for. */
export class ModelWeights {
  readonly #files = new Map<string, SafetensorsReader>();
  readonly #place = new Map<string, SafetensorsReader>();
  readonly #folder: Folder;
  readonly #tables: { embeddings: string; head: string };

  /**
   * Opens every file and checks that each tensor that the model needs is there with its shape, and that there is no
   * other.
   * @throws {UserError} naming the file and the tensor
   */
  constructor(folder: Folder, config: DecoderConfig) {
    this.#folder = folder;
    this.#tables = vocabularyWeights(config);
    try {
      this.#open();
      const expected = weightShapes(config);
      this.#check(expected);
      this.#refuseOthers(expected, config.modelType);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The weights of a base that was loaded. @throws {ModelFileError} when it does not come from files */
  static again(source: Folder | undefined, config: DecoderConfig): ModelWeights {
    if (source) return new ModelWeights(source, config);
    throw new ModelFileError('the model was not loaded from files, in which its weights could be read again');
  }

  #open(): void {
    const folder = this.#folder;
    const single = 'model.safetensors';
    const index = 'model.safetensors.index.json';
    if (folder.has(single)) {
      const file = this.#file(single);
      for (const name of file.tensors.keys()) this.#place.set(name, file);
    } else if (folder.has(index)) {
      const map = validateIndex(readJsonOf(folder, index), folder.pathOf(index)).weight_map;
      for (const [name, shard] of Object.entries(map)) {
        partsOf(shard, `${folder.pathOf(index)}: weight_map`);
        this.#place.set(name, this.#file(shard));
      }
    } else {
      throw new ModelFileError(
        `${folder.name}: no model.safetensors and no model.safetensors.index.json in this folder. ` +
          'Expected a Hugging Face model with safetensors weights',
      );
    }
  }

  /** Checks that tensors are there with these shapes. */
  #check(expected: ReadonlyMap<string, readonly number[]>): void {
    for (const [name, shape] of expected) {
      const file = this.#place.get(name);
      if (!file) {
        const hint = name === this.#tables.head ? ' (or "tie_word_embeddings": true in config.json)' : '';
        throw new ModelFileError(
          `${this.#folder.name}: tensor ${name} is missing from its safetensors${hint}`,
        );
      }
      const entry = file.tensors.get(name);
      if (!entry) {
        throw new ModelFileError(`${file.path}: tensor ${name} is missing, though the index names this file`);
      }
      if (!isFloatingPoint(entry.dtype)) {
        throw new ModelFileError(
          `${file.path}: tensor ${name} has integers (${entry.dtype}), expected floating-point weights; ` +
            'use the unquantized model',
        );
      }
      if (entry.shape.join() !== shape.join()) {
        throw new ModelFileError(
          `${file.path}: tensor ${name} has shape [${entry.shape}], config.json expects [${shape}]`,
        );
      }
    }
  }

  /** Checks that nothing in the files is ignored but what the family knows to be harmless. */
  #refuseOthers(expected: ReadonlyMap<string, unknown>, modelType: string): void {
    const harmless = familyOf(modelType)?.harmlessWeights;
    // a head beside tied embeddings is looked at later
    const isUsed = (name: string) => expected.has(name) || name === this.#tables.head || harmless?.test(name);
    for (const file of this.#files.values()) {
      const others = [...file.tensors.keys()].filter((name) => !isUsed(name));
      if (others.length === 0) continue;
      const more = others.length === 1 ? '' : ` and ${others.length - 1} more`;
      throw new ModelFileError(
        `${file.path}: tensor ${others[0]}${more} has no place in a ${modelType} model as config.json describes it, ` +
          'and would be ignored; compare model_type and the settings of biases with where the model comes from',
      );
    }
  }

  #file(name: string): SafetensorsReader {
    const known = this.#files.get(name);
    if (known) return known;
    const file = new SafetensorsReader(this.#folder.pathOf(name), () => this.#folder.open(name));
    this.#files.set(name, file);
    return file;
  }

  /** Uploads one tensor to the backend; of embeddings and head the rows that a cut keeps. */
  tensor(
    name: string,
    { cut, floatType = 'float32' }: { cut?: VocabularyCut | undefined; floatType?: FloatType } = {},
  ): tf.Tensor {
    const { shape, values } = this.values(name);
    const width = shape[1]!;
    const upload = () =>
      cut && Object.values(this.#tables).includes(name)
        ? tf.tensor2d(cut.cut(values, width), [cut.kept.length, width])
        : tf.tensor(values, shape, 'float32');
    return tf.tidy(() => toFloatType(upload(), floatType));
  }

  /** One tensor on the host. */
  values(name: string): { shape: number[]; values: Float32Array } {
    const { shape, values } = this.#place.get(name)!.read(name);
    return { shape, values: values as Float32Array };
  }

  /**
   * Whether the files have a head that is not the embedding table. Then transformers uses it, whatever config.json
   * says about tying.
   */
  get hasOwnHead(): boolean {
    const { embeddings: embedding, head } = this.#tables;
    const file = this.#place.get(head);
    const entry = file?.tensors.get(head);
    const expected = this.#place.get(embedding)?.tensors.get(embedding);
    if (!file || !entry || !expected) return false;
    this.#check(new Map([[head, expected.shape]]));
    const [ours, theirs] = [this.values(embedding).values, this.values(head).values];
    return ours.some((value, i) => !Object.is(value, theirs[i]));
  }

  /** The type that most of the model is stored in: that of its embeddings. */
  get storedType(): FloatType {
    const name = this.#tables.embeddings;
    const dtype = this.#place.get(name)?.tensors.get(name)?.dtype;
    return dtype === 'BF16' ? 'bfloat16' : dtype === 'F16' ? 'float16' : 'float32';
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }
}

/** Checks that a path is a model folder. @throws {ModelFileError} when it is not. */
export function assertModelFolder(folder: Folder): void {
  if (!folder.exists) {
    throw new ModelFileError(`${folder.name}: no such folder. Expected a Hugging Face model folder`);
  }
}
