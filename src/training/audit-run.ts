/** The audit of a run: what its samples will be, as its options say. A Kaggle notebook has a stand-in for it. */

import { DiskFolder } from '../common/disk-folder.js';
import { checkAnswers } from '../prompts/answer-checks.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { stopTokensOf } from '../prompts/stop-tokens.js';
import type { ChatTokenizer } from '../prompts/tokenizer.js';
import { type AuditWalk, auditStream, type StreamAudit } from './audit.js';
import { type AuditFinding, auditFindings, auditLine } from './audit-findings.js';
import { streamSpec } from './open-run.js';
import type { FineTuneConfig } from './options.js';
import { type LoadedDatasets, openSampleSource } from './training-data.js';

/** Follows the stream of a run from its beginning, without a model. */
export function auditRun(
  config: FineTuneConfig,
  { tokenizer, folder }: { tokenizer: ChatTokenizer; folder: string },
  loaded: LoadedDatasets,
  walk: Omit<AuditWalk, 'wanted' | 'endOfTurnId'> = {},
): Promise<StreamAudit> {
  const source = openSampleSource(streamSpec(config, folder), tokenizer, loaded);
  const wanted = config.maxSteps * config.batchSize;
  return auditStream(source, { ...walk, wanted, endOfTurnId: tokenizer.endOfTurnId });
}

/**
 * What is looked at before a run begins: that takes a second at most, and finds what chance does not explain.
 * Drawing a sample takes some 30 µs, cutting its prompt into tokens a millisecond or two.
 */
const atStart = { limit: 20_000, tokenized: 200 } as const;

/** Says in one line what the samples of a run are, and each hole in one more. */
export async function noteStream(
  config: FineTuneConfig,
  prompts: { tokenizer: ChatTokenizer; folder: string; vocabSize: number },
  loaded: LoadedDatasets,
  note: (text: string) => void,
): Promise<void> {
  const audit = await auditRun(config, prompts, loaded, atStart);
  note(auditLine(audit));
  for (const { severity, text } of [...answerFindings(config, prompts), ...auditFindings(audit, config)]) {
    if (severity === 'hole') note(`HOLE in the training: ${text}`);
  }
}

/** Whether a tokenizer can write what a run teaches, and ends of answers are ends. */
export function answerFindings(
  config: FineTuneConfig,
  { tokenizer, folder, vocabSize }: { tokenizer: ChatTokenizer; folder: string; vocabSize: number },
): AuditFinding[] {
  const model = { vocabSize, listed: stopTokensOf(new DiskFolder(folder)) };
  const findings = checkAnswers(tokenizer, parseGridEncoder(config.gridEncoder), model);
  return findings.map((finding) => ({ kind: 'answers', ...finding }));
}
