/** What selection rules make of a pool, as a table, a plot and a part of a report. */
import { formatDifference } from '../evaluation/intervals.js';
import { formatPercent } from '../evaluation/metrics.js';
import { rules } from '../evaluation/selection.js';
import type { SelectionStudy } from '../evaluation/selection-study.js';
import { barPlot, type PlotOptions, type PlotSpec } from './plots.js';
import type { Report, ReportSection } from './report.js';
import type { TableRow } from './tables.js';

/** A row for each rule, the one that solves most with two attempts first. */
export function selectionTable(study: SelectionStudy): TableRow[] {
  return study.rules
    .toSorted((a, b) => b.solved_2 - a.solved_2 || b.solved_1 - a.solved_1)
    .map(({ rule, solved_1, solved_2, lost, meanRank, difference }) => ({
      rule,
      solved_1: formatPercent(solved_1),
      solved_2: formatPercent(solved_2),
      lost: formatPercent(lost),
      'mean rank': study.inPool === 0 ? '–' : meanRank.toFixed(2),
      [`points more than ${study.reference}`]: difference ? formatDifference(difference) : '–',
    }));
}

/** Test inputs solved by one and by two attempts of each rule, below how many the pool has. */
export function selectionPlot(study: SelectionStudy, options: PlotOptions = {}): PlotSpec {
  const ranked = study.rules.toSorted((a, b) => b.solved_2 - a.solved_2);
  const bars = ranked.flatMap(({ rule, solved_1, solved_2 }) => [
    { label: rule, value: solved_2, group: 'two attempts' },
    { label: rule, value: solved_1, group: 'one attempt' },
  ]);
  const pool = { label: 'in the pool', value: study.inPool, group: 'two attempts' };
  return barPlot([pool, ...bars], { axisTitle: 'tasks solved', title: 'Selection rules', ...options });
}

/** What a study says, in a sentence. */
export function selectionText({
  tasks,
  testInputs,
  candidates,
  withoutCandidates,
  inPool,
  inPoolAny,
  left,
}: SelectionStudy): string {
  const without = left.map(({ rule }) => rule).join(', ');
  return (
    `${testInputs} test inputs of ${tasks} tasks with ${candidates.toFixed(1)} different candidates each; ` +
    (withoutCandidates === 0 ? '' : `${withoutCandidates} of them have no candidate; `) +
    `the solution is in the pool for ${formatPercent(inPool)} (of some test input for ${formatPercent(inPoolAny)} of the tasks).` +
    (without === '' ? '' : ` Without scores under common views these rules are left out: ${without}.`)
  );
}

/** A section of a report. */
export function selectionSection(study: SelectionStudy): ReportSection {
  return {
    heading: 'Selection',
    blocks: [
      { kind: 'text', text: selectionText(study) },
      { kind: 'plots', plots: [selectionPlot(study)] },
      { kind: 'table', rows: selectionTable(study) },
      {
        kind: 'text',
        text: study.rules.map(({ rule }) => `\`${rule}\`: ${rules[rule].description}`).join('; '),
      },
    ],
  };
}

/** A report of nothing else. */
export function selectionReport(study: SelectionStudy, source: string): Report {
  return {
    title: 'From a pool of candidates to attempts',
    lead: `What selection rules make of \`${source}\`.`,
    sections: [selectionSection(study)],
  };
}
