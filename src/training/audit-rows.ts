/** @file An audit as rows of tables. */
import type { PairAudit, StreamAudit } from './audit.js';
import { coverageOf } from './audit-findings.js';

/** Least, mean and most of some counts, as `1 / 4.2 / 9`. */
function rangeOf(counts: readonly number[]): string {
  if (counts.length === 0) return '';
  const sum = counts.reduce((total, count) => total + count, 0);
  return `${Math.min(...counts)} / ${(sum / counts.length).toFixed(1)} / ${Math.max(...counts)}`;
}

/** A row for the train samples and one for the test samples of each data set in each prompt kind. */
export function auditRows({ pairs }: Pick<StreamAudit, 'pairs'>) {
  return pairs.flatMap((pair) =>
    (['train', 'test'] as const).flatMap((set) => {
      const { samples, targets, seen } = coverageOf(pair, set);
      if (samples === 0) return [];
      const counts = pair.tasks.flatMap((task) => task[set].targets);
      return [
        {
          dataset: pair.dataset,
          kind: pair.kind,
          set,
          samples,
          targets,
          'never a target': samples - targets,
          'never seen': samples - seen,
          'times a target (least / mean / most)': rangeOf(counts),
        },
      ];
    }),
  );
}

/** A row for each data set in each prompt kind: prompts, and the changes of their tasks. */
export function auditChangeRows({ pairs }: Pick<StreamAudit, 'pairs'>) {
  return pairs.map(({ dataset, kind, samples, tooLong, changes }: PairAudit) => ({
    dataset,
    kind,
    prompts: samples,
    'too long': tooLong,
    'of 8 symmetries (least / mean / most)': rangeOf(changes.symmetries),
    'other colours': changes.colors,
    'other order': changes.orders,
    'other task': changes.otherTasks,
    transforms: Object.entries(changes.transforms)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  }));
}

/** A row for each task, with how often each of its samples was a target and was shown. */
export function auditTaskRows({ pairs }: Pick<StreamAudit, 'pairs'>) {
  return pairs.flatMap(({ dataset, kind, tasks }) =>
    tasks.map(({ taskId, variant, samples, tooLong, train, test }) => ({
      dataset,
      kind,
      task: variant === 0 ? taskId : `${taskId} #${variant + 1}`,
      prompts: samples,
      'too long': tooLong,
      'train targets': train.targets.join(' '),
      'test targets': test.targets.join(' '),
      'train shown': train.shown.join(' '),
      'test shown': test.shown.join(' '),
    })),
  );
}
