/** Models and adapters whose files are in memory, as a page has them. */
import { MemoryFolder } from '../common/folder.js';
import { type BuildOptions, decoderOf } from './build.js';
import type { Decoder } from './decoder.js';

/** Files by their names: `config.json`, `model.safetensors`, `tokenizer.json`, … */
export type FilesInMemory = Readonly<Record<string, ArrayBuffer>>;

/** What to load besides the base, and what training may change. */
export interface LoadOptions extends Omit<BuildOptions, 'adapter'> {
  /** A PEFT adapter for this base: `adapter_config.json` and `adapter_model.safetensors`; not together with `lora`. */
  adapter?: FilesInMemory;
}

/**
 * Loads a Hugging Face model: `config.json` and `model.safetensors`, or its shards and `model.safetensors.index.json`.
 * The files are read again when an adapter is detached, so their bytes must not be changed.
 * @throws {UserError} naming the file and what is wrong with it
 */
export async function loadDecoder(
  files: FilesInMemory,
  { adapter, ...options }: LoadOptions = {},
): Promise<Decoder> {
  const own = adapter ? { adapter: new MemoryFolder(adapter, 'adapter') } : {};
  return decoderOf(new MemoryFolder(files, 'model'), { ...options, ...own });
}
