/** Programs for the tasks of a data set: check the options, open the model, draw, give the model back. */
import { datasetOf, firstTasks } from '../arc/dataset.js';
import { notesTo } from '../common/events.js';
import { withFiles } from '../common/lock.js';
import { writableFiles } from '../common/output-files.js';
import { generateCodeOptions } from '../options/inference.js';
import type { OptionsOf } from '../options/table.js';
import { codeKind, drawCode, type GenerateCodeResult } from '../session/draw-code.js';
import { openPrompts } from '../session/prompts.js';
import type { GenerationHooks } from './infer.js';

/** Options of {@link generateCode}. */
export type GenerateCodeOptions = OptionsOf<typeof generateCodeOptions.table>;

/**
 * Has a model write programs for each task of a data set, from its train samples; of an id with several variants the
 * first is used. The programs are text and are not run. Answers are kept as `infer` keeps them.
 * @throws {UserError} for every mistake in the options or files, before the model is loaded where possible
 */
export async function generateCode(
  options: GenerateCodeOptions & GenerationHooks,
): Promise<GenerateCodeResult> {
  const { onEvent, signal, ...given } = options;
  const o = generateCodeOptions.check(given, notesTo(onEvent));
  codeKind(o.promptVersion);
  const dataset = firstTasks(datasetOf(o.datasetPath), o.nTasks);
  const tasks = new Map([...dataset].map(([taskId, variants]) => [taskId, variants[0]!]));
  const files = writableFiles({ outputPath: o.outputPath }, [o.datasetPath]);
  const run = async (stopping: AbortSignal) =>
    drawCode(await openPrompts(o), tasks, o, { onEvent, signal: stopping });
  return withFiles(files, run, signal);
}

export type { GenerateCodeResult, GeneratedCode } from '../session/draw-code.js';
