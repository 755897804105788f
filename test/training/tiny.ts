import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '../../src/arc/types.js';
import { Rng } from '../../src/common/rng.js';
import { readConfig } from '../../src/models/load.js';
import { writeSafetensors } from '../../src/models/safetensors.js';
import { weightShapes } from '../../src/models/weights.js';
import { writeTokenizer } from '../../src/prompts/train-tokenizer.js';

/** Writes a random Qwen2-shaped model, by default of a few thousand parameters, with a byte-level tokenizer. */
export function writeTinyModel(
  folder: string,
  seed = 1,
  { layers = 2, intermediateSize = 32 }: { layers?: number; intermediateSize?: number } = {},
): string {
  mkdirSync(folder, { recursive: true });
  const vocabSize = writeTokenizer(folder, { vocabSize: 300 });
  const config = {
    model_type: 'qwen2',
    architectures: ['Qwen2ForCausalLM'],
    vocab_size: vocabSize,
    hidden_size: 16,
    intermediate_size: intermediateSize,
    num_hidden_layers: layers,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    max_position_embeddings: 4096,
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    tie_word_embeddings: true,
    hidden_act: 'silu',
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const rng = Rng.of(seed, 'tiny');
  const tensors = Array.from(weightShapes(readConfig(folder)), ([name, shape]) => {
    const size = shape.reduce((product, n) => product * n, 1);
    const norm = name.includes('norm');
    const values = Float32Array.from({ length: size }, () => (norm ? 1 : rng.normal(0, 0.1)));
    return [name, { shape, values }] as [string, { shape: number[]; values: Float32Array }];
  });
  writeSafetensors(join(folder, 'model.safetensors'), tensors);
  return folder;
}

/** Tasks whose rule is "every cell becomes another colour", with 3 train samples and a test sample of 2×2. */
export function recolourTasks(count: number, size = 2): Record<string, Task> {
  const rng = Rng.of(count, 'recolour');
  const grid = (draw: () => number) => Array.from({ length: size }, () => Array.from({ length: size }, draw));
  const sample = () => ({ input: grid(() => rng.int(0, 9)), output: grid(() => 3) });
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `task${i}`,
      { train: [sample(), sample(), sample()], test: [sample()] },
    ]),
  );
}

/** Writes tasks as a data set file. */
export function writeTasks(path: string, tasks: Record<string, unknown>): string {
  writeFileSync(path, JSON.stringify(tasks));
  return path;
}
