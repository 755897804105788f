import { assertNewFolder, loadDecoder, resolveModel, saveModel } from '../models/index.js';
import { initBackend } from '../tensors/backend.js';
import type { FloatType } from '../tensors/precision.js';

export interface MergeLoraOptions {
  /** A model folder or a hub id. */
  modelPath: string;
  /** A folder with a PEFT adapter, or a hub id. */
  adapterPath: string;
  outputDir: string;
  /** The format that weights are saved in; without it that of the base. */
  dtype?: FloatType;
  backend?: string;
}

/**
 * Folds an adapter into its base and writes the result as a Hugging Face folder.
 * @throws {UserError} when a file is missing, the adapter does not fit, or the output folder is in use
 */
export async function mergeLora(options: MergeLoraOptions): Promise<void> {
  const { modelPath, adapterPath, outputDir, dtype, backend } = options;
  assertNewFolder(outputDir);
  await initBackend(backend);
  const adapter = await resolveModel(adapterPath);
  const folder = await resolveModel(modelPath);
  const decoder = await loadDecoder(folder, { adapterPath: adapter, merge: true });
  try {
    saveModel(decoder, outputDir, dtype ? { dtype } : {});
  } finally {
    decoder.dispose();
  }
}
