import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SafetensorsFile, writeSafetensors } from '../../src/models/safetensors.js';

/** Makes the embedding of one token undefined; the head, which is the same matrix, keeps the old one. */
export function poison(folder: string, token: number): void {
  const path = join(folder, 'model.safetensors');
  const file = new SafetensorsFile(path);
  const tensors = [...file.tensors].map(([name, { shape }]) => {
    const values = Float32Array.from(file.read(name).values as ArrayLike<number>);
    return [name, { shape: [...shape], values }] as [string, { shape: number[]; values: Float32Array }];
  });
  file.close();
  const [, embedding] = tensors.find(([name]) => name.endsWith('embed_tokens.weight'))!;
  const width = embedding.shape[1]!;
  const head = { ...embedding, values: embedding.values.slice() };
  embedding.values.fill(Number.NaN, token * width, (token + 1) * width);
  writeSafetensors(path, [...tensors, ['lm_head.weight', head]]);
  const config = join(folder, 'config.json');
  const settings = JSON.parse(readFileSync(config, 'utf8'));
  writeFileSync(config, JSON.stringify({ ...settings, tie_word_embeddings: false }));
}
