import { join } from 'node:path';
import { loadDataset } from '../arc/dataset.js';
import { UserError } from '../common/errors.js';
import { answersOf } from '../evaluation/files.js';
import { computeMetrics } from '../evaluation/metrics.js';
import { voteMetrics } from '../evaluation/voting.js';
import { type GenerationHooks, type InferOptions, infer } from './infer.js';

/** Options of {@link temperatureStudy}: those of inference, and the temperatures. */
export interface TemperatureStudyOptions extends Omit<InferOptions, 'temperature' | 'outputFilepath'> {
  temperatures: readonly number[];
  /** Where the predictions of each temperature go, as `inference_t0.7.json`. */
  outputDir: string;
}

/** What one temperature scored: metrics and votes as fractions. */
export type TemperatureRow = { readonly temperature: number } & Readonly<Record<string, number>>;

/**
 * Predicts once per temperature with the same seed and everything else equal: how much variety do answers need,
 * and what does it cost in accuracy?
 * @throws {UserError} as `infer`, and when there is no temperature
 */
export async function temperatureStudy({
  temperatures,
  outputDir,
  ...options
}: TemperatureStudyOptions & GenerationHooks): Promise<TemperatureRow[]> {
  if (temperatures.length === 0) throw new UserError('temperatures: expected at least one, such as [0, 0.7]');
  const dataset = loadDataset(options.datasetPath);
  const rows: TemperatureRow[] = [];
  for (const temperature of temperatures) {
    const { predictions } = await infer({
      ...options,
      temperature,
      outputFilepath: join(outputDir, `inference_t${temperature}.json`),
    });
    const { overall } = computeMetrics(answersOf(predictions), dataset);
    rows.push({ temperature, ...overall, ...voteMetrics(predictions, dataset) });
  }
  return rows;
}
