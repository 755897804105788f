import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readJson } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import { type FloatType, toFloatType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import type { DecoderConfig } from './config.js';
import { Decoder } from './decoder.js';
import { ModelFileError } from './errors.js';
import { SafetensorsFile } from './safetensors.js';
import { type VocabularyCut, vocabularyWeights } from './vocabulary-cut.js';

/** The Hugging Face names and shapes of all weights that a decoder of this configuration asks for. */
export function weightShapes(config: DecoderConfig): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  // a dry construction: the decoder only stores what it is handed
  new Decoder(config, (name, shape) => {
    shapes.set(name, shape);
    return undefined as unknown as tf.Tensor;
  });
  return shapes;
}

/** The shapes [out, in] of the projections among all weights, by the projection's name. */
export function projectionShapes(
  shapes: ReadonlyMap<string, readonly number[]>,
): Map<string, readonly number[]> {
  return new Map(
    [...shapes].flatMap(([name, shape]) =>
      name.endsWith('_proj.weight') ? [[name.replace(/\.weight$/, ''), shape]] : [],
    ),
  );
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
  readonly #files = new Map<string, SafetensorsFile>();
  readonly #place = new Map<string, SafetensorsFile>();
  readonly #folder: string;

  /**
   * Opens every file and checks that each expected tensor is there with its shape.
   * @throws {UserError} naming the file and the tensor
   */
  constructor(folder: string, expected: ReadonlyMap<string, readonly number[]>) {
    this.#folder = folder;
    try {
      this.#open(expected);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #open(expected: ReadonlyMap<string, readonly number[]>): void {
    const single = join(this.#folder, 'model.safetensors');
    const index = join(this.#folder, 'model.safetensors.index.json');
    if (existsSync(single)) {
      const file = this.#file(single);
      for (const name of file.tensors.keys()) this.#place.set(name, file);
    } else if (existsSync(index)) {
      const map = validateIndex(readJson(index), index).weight_map;
      for (const [name, shard] of Object.entries(map)) {
        this.#place.set(name, this.#file(join(dirname(index), shard)));
      }
    } else {
      throw new ModelFileError(
        `${this.#folder}: no model.safetensors and no model.safetensors.index.json in this folder. ` +
          'Expected a Hugging Face model with safetensors weights',
      );
    }
    for (const [name, shape] of expected) {
      const file = this.#place.get(name);
      if (!file) {
        const hint = name === 'lm_head.weight' ? ' (or "tie_word_embeddings": true in config.json)' : '';
        throw new ModelFileError(`${this.#folder}: tensor ${name} is missing from its safetensors${hint}`);
      }
      const entry = file.tensors.get(name);
      if (!entry) {
        throw new ModelFileError(`${file.path}: tensor ${name} is missing, though the index names this file`);
      }
      if (entry.shape.join() !== shape.join()) {
        throw new ModelFileError(
          `${file.path}: tensor ${name} has shape [${entry.shape}], config.json expects [${shape}]`,
        );
      }
    }
  }

  #file(path: string): SafetensorsFile {
    const known = this.#files.get(path);
    if (known) return known;
    const file = new SafetensorsFile(path);
    this.#files.set(path, file);
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
      cut && vocabularyWeights.includes(name)
        ? tf.tensor2d(cut.cut(values, width), [cut.kept.length, width])
        : tf.tensor(values, shape, 'float32');
    return tf.tidy(() => toFloatType(upload(), floatType));
  }

  /** One tensor on the host. */
  values(name: string): { shape: number[]; values: Float32Array } {
    const { shape, values } = this.#place.get(name)!.read(name);
    return { shape, values: values as Float32Array };
  }

  /** The type that most of the model is stored in: that of its embeddings. */
  get storedType(): FloatType {
    const name = 'model.embed_tokens.weight';
    const dtype = this.#place.get(name)?.tensors.get(name)?.dtype;
    return dtype === 'BF16' ? 'bfloat16' : dtype === 'F16' ? 'float16' : 'float32';
  }

  close(): void {
    for (const file of this.#files.values()) file.close();
    this.#files.clear();
  }
}

/** Checks that a path is a model folder. @throws {ModelFileError} when it is not. */
export function assertModelFolder(folder: string): void {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    throw new ModelFileError(`${folder}: no such folder. Expected a Hugging Face model folder`);
  }
}
