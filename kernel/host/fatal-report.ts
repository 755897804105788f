/**
 * What V8 and Node write to their standard error when they abort. It is long and hard to read: the log
 * gets it, and the notebook a line (supervisor/cause.ts).
 */
const BEGIN = /^(<--- Last few GCs --->|FATAL ERROR: |#\n# Fatal )/m;

/** Where it begins in a text; -1 where there is none. */
export function fatalReportAt(text: string): number {
  return text.search(BEGIN);
}
