/** Models and adapters in folders of a disk. */
import { DiskFolder } from '../common/disk-folder.js';
import { adapterOf } from './adapter-files.js';
import type { AdapterBase } from './adapter-names.js';
import type { AdapterState } from './adapter-state.js';
import { type BuildOptions, decoderOf } from './build.js';
import { configOf, type DecoderConfig } from './config.js';
import type { Decoder } from './decoder.js';
import { adapterBase } from './weights.js';

/** What to load besides the base, and what training may change. */
export interface LoadOptions extends Omit<BuildOptions, 'adapter'> {
  /** A folder with a PEFT adapter for this base; not together with `lora`. */
  adapterPath?: string;
}

/**
 * Loads a Hugging Face model (config.json and safetensors) of a folder, with an adapter if one is given. Everything
 * that can be checked from the headers of the files is checked before the first weight is read.
 * @throws {UserError} naming the file and what is wrong with it
 */
export async function loadDecoder(
  folder: string,
  { adapterPath, ...options }: LoadOptions = {},
): Promise<Decoder> {
  const adapter = adapterPath ? { adapter: new DiskFolder(adapterPath) } : {};
  return decoderOf(new DiskFolder(folder), { ...options, ...adapter });
}

/** Reads `config.json` of a model folder. @throws {UserError} that says what is missing or not supported. */
export const readConfig = (folder: string): DecoderConfig => configOf(new DiskFolder(folder));

/** What an adapter for the model in a folder has to fit. */
export function readAdapterBase(folder: string): AdapterBase {
  const source = new DiskFolder(folder);
  return adapterBase(source, configOf(source));
}

/**
 * Reads an adapter folder in PEFT's format and checks that it fits a base.
 * @param base such as `decoder.adapterBase()`
 * @throws {AdapterError} naming the file and the first thing that does not fit
 */
export const readAdapter = (folder: string, base: AdapterBase): AdapterState =>
  adapterOf(new DiskFolder(folder), base);
