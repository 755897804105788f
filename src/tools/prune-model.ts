import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../common/files.js';
import { assertNewFolder, loadDecoder, resolveModel, savePrunedModel } from '../models/index.js';
import { withNumbersAsTheyAre } from '../models/number-spelling.js';
import { pruneModelOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { getPromptKind } from '../prompts/prompt-kinds.js';
import { kindsOfCut, promptVocabulary } from '../prompts/prompt-vocabulary.js';
import { type KeptToken, pruneTokenIds, pruneTokenizer } from '../prompts/prune-tokenizer.js';
import { turnTemplate } from '../prompts/turn-markers.js';
import { openTokenizer } from '../session/prompts.js';
import { initBackend } from '../tensors/backend.js';

/** Options of {@link pruneModel}. */
export type PruneModelOptions = OptionsOf<typeof pruneModelOptions.table>;

/** What was kept. */
export interface PruneModelResult {
  /** The tokens that are left, in the order of their new ids. */
  readonly kept: readonly KeptToken[];
  /** How many there were. */
  readonly vocabSize: number;
}

/**
 * Writes a model with a part of its vocabulary as a Hugging Face folder: embeddings, head and tokenizer have the tokens
 * that prompts and answers of the given kinds can have, and its logits for those are the base's. Where the kinds have
 * plain turns alone, its chat template is their markers.
 * @throws {UserError} when a file is missing, the tokenizer is not BPE of a kind that can be cut, or the output
 * folder is in use
 */
export async function pruneModel(options: PruneModelOptions): Promise<PruneModelResult> {
  const { modelPath, outputDir, promptVersion, gridEncoder, dtype, backend } =
    pruneModelOptions.check(options);
  assertNewFolder(outputDir);
  const encoder = parseGridEncoder(gridEncoder);
  const kinds = promptVersion.map(getPromptKind);
  await initBackend(backend);
  const folder = await resolveModel(modelPath);
  const { tokenizer, modelConfig } = openTokenizer(folder);
  const ids = promptVocabulary(tokenizer, encoder, kinds.length > 0 ? kinds : kindsOfCut([]));
  const isPlain = kinds.length > 0 && kinds.every(({ plainTurns }) => plainTurns);
  const { files, kept } = pruneTokenizer(folder, ids, {
    template: isPlain ? turnTemplate(tokenizer.turnMarkers()) : undefined,
    prependsSpace: tokenizer.prependsSpace,
  });
  const vocabulary = Int32Array.from(kept, ({ id }) => id);
  const generation = join(folder, 'generation_config.json');
  const decoder = await loadDecoder(folder, { vocabulary });
  try {
    await savePrunedModel(decoder, outputDir, {
      ...(dtype ? { dtype } : {}),
      settings: (config) => pruneTokenIds(config, vocabulary),
      files: new Map([
        ...files,
        ...(existsSync(generation)
          ? [
              [
                'generation_config.json',
                pruneTokenIds(
                  withNumbersAsTheyAre(readText(generation, 'a generation_config.json')),
                  vocabulary,
                ),
              ] as const,
            ]
          : []),
        ['pruned_vocabulary.json', { vocabSize: modelConfig.vocabSize, kept }],
      ]),
      keepsTemplate: !isPlain,
    });
  } finally {
    decoder.dispose();
  }
  return { kept, vocabSize: modelConfig.vocabSize };
}
