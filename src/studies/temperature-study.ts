import { join } from 'node:path';
import { datasetOf, type OrTasks } from '../arc/dataset.js';
import { notesTo } from '../common/events.js';
import { resultsOf } from '../evaluation/files.js';
import { computeMetrics } from '../evaluation/metrics.js';
import { changesFromFirst, type TaskMetrics, taskMetrics } from '../evaluation/paired.js';
import { spreadsOf } from '../evaluation/spread.js';
import { voteMetrics } from '../evaluation/voting.js';
import { type GenerationHooks, infer } from '../experiments/infer.js';
import { splitValues } from '../options/in-place.js';
import { temperatureStudyOptions } from '../options/inference.js';
import type { OptionsOf } from '../options/table.js';
import { seedsFrom } from './over-seeds.js';

/** Options of {@link temperatureStudy}: those of inference, and the temperatures. */
export type TemperatureStudyOptions = OrTasks<OptionsOf<typeof temperatureStudyOptions.table>>;

/**
 * What one temperature scored: metrics and votes as fractions, means over seeds where there are several. `change` is
 * how its `vote_2` differs from that of the first temperature, in points with a 95 % interval over tasks and seeds.
 */
export type TemperatureRow = { readonly temperature: number; readonly change: string } & Readonly<
  Record<string, number | string>
>;

/**
 * Predicts once per temperature and seed with everything else equal: how much variety do answers need, and what does
 * it cost in accuracy?
 * @throws {UserError} as `infer`, and when there is no temperature
 */
export async function temperatureStudy(
  options: TemperatureStudyOptions & GenerationHooks,
): Promise<TemperatureRow[]> {
  const { onEvent, signal, ...all } = options;
  const { given, values } = splitValues(all, { datasetPath: 'tasks' });
  const { temperatures, outputDir, datasetPath, seeds, ...rest } = temperatureStudyOptions.check(
    given,
    notesTo(onEvent),
  );
  const tasks = datasetOf(values.datasetPath ?? datasetPath);
  const sets: TaskMetrics[][] = [];
  const rows: Omit<TemperatureRow, 'change'>[] = [];
  for (const temperature of temperatures) {
    const perTask: TaskMetrics[] = [];
    const overall: Record<string, number>[] = [];
    for (const [i, seed] of seedsFrom(rest.seed, seeds).entries()) {
      const name = `inference_t${temperature}${i === 0 ? '' : `_seed${seed}`}.json`;
      const run = { ...rest, seed, tasks, temperature, outputPath: join(outputDir, name) };
      const { predictions } = await infer({ ...run, onEvent, signal });
      const results = resultsOf(predictions);
      perTask.push(taskMetrics(results, tasks));
      overall.push({
        ...computeMetrics(results.answers, tasks).overall,
        ...voteMetrics(predictions, tasks),
      });
    }
    sets.push(perTask);
    const means = Object.entries(spreadsOf(overall)).map(([metric, { mean }]) => [metric, mean]);
    rows.push({ temperature, ...Object.fromEntries(means) });
  }
  const changes = changesFromFirst(sets, 'vote_2');
  return rows.map((row, i) => ({ ...row, change: changes[i]! }) as TemperatureRow);
}
