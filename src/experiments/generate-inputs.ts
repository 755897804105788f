/** New grids for the tasks of a data set: check the options, open the model, draw, give the model back. */
import { datasetOf, firstTasks, type OrTasks } from '../arc/dataset.js';
import { notesTo } from '../common/events.js';
import { withFiles } from '../common/lock.js';
import { writableFiles } from '../common/output-files.js';
import { splitValues } from '../options/in-place.js';
import { generateInputsOptions } from '../options/inference.js';
import type { OptionsOf } from '../options/table.js';
import { drawGrids, drawnKind, type GenerateInputsResult } from '../session/draw.js';
import { openPrompts } from '../session/prompts.js';
import type { GenerationHooks } from './infer.js';

/** Options of {@link generateInputs}. */
export type GenerateInputsOptions = OrTasks<OptionsOf<typeof generateInputsOptions.table>>;

/**
 * Draws new inputs (or outputs, with a prompt kind that asks for them) for each task of a data set; of an id
 * with several variants the first is used. Answers are kept as `infer` keeps them.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 */
export async function generateInputs(
  options: GenerateInputsOptions & GenerationHooks,
): Promise<GenerateInputsResult> {
  const { onEvent, signal, ...rest } = options;
  const { given, values } = splitValues(rest, { datasetPath: 'tasks' });
  const o = generateInputsOptions.check(given, notesTo(onEvent));
  drawnKind(o.promptVersion);
  const dataset = firstTasks(datasetOf(values.datasetPath ?? o.datasetPath), o.nTasks);
  const tasks = new Map([...dataset].map(([taskId, variants]) => [taskId, variants[0]!]));
  const { outputPath, htmlPath } = o;
  const files = writableFiles({ outputPath, htmlPath }, [o.datasetPath]);
  const run = async (stopping: AbortSignal) =>
    drawGrids(await openPrompts(o), tasks, o, { onEvent, signal: stopping });
  return withFiles(files, run, signal);
}

export type { GeneratedGrid, GenerateInputsResult } from '../session/draw.js';
