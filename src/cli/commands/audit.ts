import { type TableRow, textTable } from '../../display/tables.js';
import { colorsFor } from '../../display/terminal-colors.js';
import { auditOptions } from '../../options/audit.js';
import { defineOptions } from '../../options/table.js';
import { type AuditTrainingOptions, auditTraining } from '../../studies/audit.js';
import { auditChangeRows, auditRows, auditTaskRows } from '../../training/audit-rows.js';
import type { CommandFile } from '../command.js';
import { spellFlags } from '../flags.js';
import { keepingAnswers } from '../interrupts.js';

const printOptions = defineOptions({
  perTask: { type: 'boolean', default: false, description: 'print the counts of every task' },
});

const print = (text: string) => process.stdout.write(`${text}\n`);
const table = (title: string, rows: readonly TableRow[]) => print(`${title}\n${textTable(rows)}\n`);

async function run(
  _: string[],
  { perTask = false, ...given }: AuditTrainingOptions & { perTask?: boolean },
): Promise<void> {
  const audit = await keepingAnswers((hooks) => auditTraining({ ...given, ...hooks }));
  if (audit === undefined) return;
  table(`samples of data sets in ${audit.samples} samples of the stream`, auditRows(audit));
  table('augmentations, in samples', auditChangeRows(audit));
  if (perTask)
    table('tasks: how often each sample was a target, and how often it was shown', auditTaskRows(audit));
  const { red, green } = colorsFor(process.stdout);
  for (const { severity, text } of audit.findings) {
    print(severity === 'hole' ? `${red('HOLE')} ${spellFlags(text)}` : `note ${spellFlags(text)}`);
  }
  const holes = audit.findings.filter(({ severity }) => severity === 'hole').length;
  if (holes > 0) process.exitCode = 1;
  else print(green('no holes'));
}

export default { options: auditOptions, terminalOptions: printOptions, run } satisfies CommandFile;
