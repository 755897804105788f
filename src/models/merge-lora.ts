import { mergeLoraOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';
import { initBackend } from '../tensors/backend.js';
import { assertNewFolder, loadDecoder, resolveModel, saveModel } from './index.js';

/** Options of {@link mergeLora}. */
export type MergeLoraOptions = OptionsOf<typeof mergeLoraOptions.table>;

/**
 * Folds an adapter into its base and writes the result as a Hugging Face folder.
 * @throws {UserError} when a file is missing, the adapter does not fit, or the output folder is in use
 */
export async function mergeLora(options: MergeLoraOptions): Promise<void> {
  const { modelPath, adapterPath, outputDir, dtype, backend } = mergeLoraOptions.check(options);
  assertNewFolder(outputDir);
  await initBackend(backend);
  const adapter = await resolveModel(adapterPath);
  const folder = await resolveModel(modelPath);
  const decoder = await loadDecoder(folder, { adapterPath: adapter, merge: true });
  try {
    await saveModel(decoder, outputDir, dtype ? { dtype } : {});
  } finally {
    decoder.dispose();
  }
}
