/** What a run of training needs beside the model: its data, its samples and its adapter, from the options of the run. */
import { existsSync } from 'node:fs';
import { tasksInCommon } from '../arc/overlap.js';
import { buildFile } from '../common/files.js';
import type { LoraOptions } from '../models/index.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import type { ChatTokenizer } from '../prompts/tokenizer.js';
import { NothingFitsError } from './errors.js';
import type { FineTuneConfig } from './options.js';
import type { TrainingSample } from './sample.js';
import { validationSet } from './sample-source.js';
import { SampleStream } from './sample-stream.js';
import {
  buildPairs,
  checkLossWeights,
  type LoadedDatasets,
  loadPairs,
  openSampleSource,
  type TrainingDataSpec,
} from './training-data.js';

/** Loads all data sets and checks kinds, encoder, loss weights and solutions. */
export function loadData(config: FineTuneConfig, given?: LoadedDatasets): LoadedDatasets {
  parseGridEncoder(config.gridEncoder);
  checkLossWeights(config.lossWeights, config.trainDatasets);
  return loadPairs([...config.trainDatasets, ...config.valDataset], given);
}

/** Says how many tasks of the validation set are trained on, which makes its loss look better than it is. */
export function noteOverlap(
  config: FineTuneConfig,
  loaded: LoadedDatasets,
  note: (text: string) => void,
): void {
  const of = (pairs: FineTuneConfig['trainDatasets']) =>
    [...new Set(pairs.map(([path]) => path))].map((path) => ({ path, dataset: loaded.get(path)! }));
  const training = of(config.trainDatasets).map(({ dataset }) => dataset);
  for (const { path, dataset } of of(config.valDataset)) {
    const common = tasksInCommon(dataset, training);
    if (common.length === 0) continue;
    const some = common.slice(0, 3).join(', ');
    note(
      `validation: ${common.length} of ${dataset.size} tasks of ${path} are in the training data too, up to ` +
        `symmetry and colours (${some}${common.length > 3 ? ', …' : ''}): their loss says little about new tasks`,
    );
  }
}

/** The fixed validation samples. @throws {NothingFitsError} when there is a data set but no sample fits */
export function openValidation(
  config: FineTuneConfig,
  tokenizer: ChatTokenizer,
  loaded: LoadedDatasets,
  note: (text: string) => void,
): readonly TrainingSample[] {
  const pairs = buildPairs(config.valDataset, { ...config, lossWeights: {} }, tokenizer, loaded);
  const { samples, tooLong } = validationSet(pairs, config);
  if (pairs.length > 0 && samples.length === 0) {
    throw new NothingFitsError(
      `\`valDataset\`: none of its ${tooLong} samples fits into \`maxSeqLen: ${config.maxSeqLen}\``,
    );
  }
  if (tooLong > 0) {
    note(
      `validation: ${tooLong} of ${tooLong + samples.length} samples exceed \`maxSeqLen: ${config.maxSeqLen}\``,
    );
  }
  return samples;
}

/** Everything that the samples of a run depend on. */
export function streamSpec(config: FineTuneConfig, tokenizerFolder: string): TrainingDataSpec {
  return { ...config, pairs: config.trainDatasets, tokenizerFolder };
}

/**
 * The stream of training samples, from worker threads when the build has their bundle.
 * @param datasets those of `loaded` that are in no file, which threads cannot load for themselves
 */
export function openStream(
  config: FineTuneConfig,
  tokenizerFolder: string,
  tokenizer: ChatTokenizer,
  loaded: LoadedDatasets,
  start: number,
  datasets?: LoadedDatasets,
): SampleStream {
  const spec = { ...streamSpec(config, tokenizerFolder), ...(datasets ? { datasets } : {}) };
  const file = buildFile('sample-worker.cjs');
  const threaded = config.workers > 0 && existsSync(file);
  return new SampleStream({
    ...config,
    ...(threaded
      ? { worker: { file, data: spec, count: config.workers } }
      : { source: openSampleSource(spec, tokenizer, loaded) }),
    start,
    ahead: 2 * config.batchSize,
  });
}

/** The options of a fresh adapter, as a model takes them. */
export const loraOptions = (lora: FineTuneConfig['lora']): LoraOptions => ({
  rank: lora.r,
  alpha: lora.alpha,
  dropout: lora.dropout,
  targetModules: [...lora.targetModules],
  ...(lora.excludeModules.length > 0 ? { excludeModules: [...lora.excludeModules] } : {}),
  ...(lora.modulesToSave.length > 0 ? { modulesToSave: [...lora.modulesToSave] } : {}),
  ...(lora.rankPattern ? { rankPattern: lora.rankPattern } : {}),
  ...(lora.alphaPattern ? { alphaPattern: lora.alphaPattern } : {}),
  useRslora: lora.useRslora,
  useDora: lora.useDora,
  init: lora.initWeights,
});
