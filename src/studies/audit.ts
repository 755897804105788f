/** What a training would learn from: the very stream of its samples, followed without a model. */
import { StoppedError } from '../common/errors.js';
import { type Hooks, type NoteEvent, notesTo, type ProgressEvent } from '../common/events.js';
import { writeJson } from '../common/files.js';
import { assertWritableFile } from '../common/output-files.js';
import { downloadNotes, resolveModel } from '../models/index.js';
import { auditOptions } from '../options/audit.js';
import type { OptionsOf } from '../options/table.js';
import { openTokenizer } from '../session/prompts.js';
import type { StreamAudit } from '../training/audit.js';
import { type AuditFinding, auditFindings } from '../training/audit-findings.js';
import { answerFindings, auditRun } from '../training/audit-run.js';
import { loadData } from '../training/open-run.js';
import { fineTuneConfig } from '../training/options.js';
import { nameDatasets, type WithDatasets } from '../training/training-data.js';

/** Options of {@link auditTraining}: those of the training, and what is looked at. */
export type AuditTrainingOptions = WithDatasets<OptionsOf<typeof auditOptions.table>>;

/** What an audit tells while it runs. */
export type AuditEvent = NoteEvent | ProgressEvent<'samples'>;

/** What an audit found. */
export interface AuditResult extends StreamAudit {
  /** Holes first. */
  readonly findings: readonly AuditFinding[];
}

/**
 * Follows the stream of a fine-tuning with these options from its first sample to its last, and says how often each
 * sample of each task is what a prompt asks for or is shown, per prompt kind and data set; how often each augmentation
 * occurs; whether the encoder's colours and the end of an answer are tokens that can be learned; and what is missing
 * that chance does not explain. No model is loaded.
 * @throws {UserError} as `fineTune` before it loads a model
 */
export async function auditTraining(options: AuditTrainingOptions & Hooks<AuditEvent>): Promise<AuditResult> {
  const { onEvent, signal, ...rest } = options;
  const { given, values } = nameDatasets(rest);
  const note = notesTo(onEvent);
  const { outputPath, maxSamples: limit, ...training } = auditOptions.check(given, note);
  const config = fineTuneConfig({ ...training, outputDir: training.outputDir ?? '.' });
  const loaded = loadData(config, values);
  if (outputPath !== undefined) {
    assertWritableFile(outputPath, '`outputPath`', [...loaded.keys()]);
  }
  const folder = await resolveModel(config.modelPath, { onProgress: downloadNotes(note) });
  const { tokenizer, modelConfig } = openTokenizer(folder);
  const total = Math.min(limit ?? Number.POSITIVE_INFINITY, config.maxSteps * config.batchSize);
  const audit = await auditRun(config, { tokenizer, folder }, loaded, {
    ...(limit === undefined ? {} : { limit }),
    signal,
    onProgress: (finished) => onEvent?.({ type: 'progress', unit: 'samples', finished, total }),
  });
  if (signal?.aborted) throw new StoppedError('stopped: the same command looks from the beginning');
  const { vocabSize } = modelConfig;
  const answers = answerFindings(config, { tokenizer, folder, vocabSize });
  const found = [...answers, ...auditFindings(audit, config)];
  const findings = [...found].sort((a, b) => Number(a.severity !== 'hole') - Number(b.severity !== 'hole'));
  const result = { ...audit, findings };
  if (outputPath !== undefined) {
    writeJson(outputPath, result);
  }
  return result;
}
