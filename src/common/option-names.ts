import { UserError } from './errors.js';

/**
 * An option in a message, as code: `` `maxSeqLen` ``, `` `lora.r` `` or `` `maxSeqLen: 8192` ``. A message says which
 * option it means and not how it is written: in a notebook it is read as it is, the command line makes `--max_seq_len
 * 8192` of it ({@link spellOptions}). Survives being sent to another process as text.
 */
export function option(name: string, value?: string | number | boolean): string {
  return value === undefined ? `\`${name}\`` : `\`${name}: ${value}\``;
}

const OPTION = /`([a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)?)(?:: ([^`]*))?`/g;

/**
 * Writes the options in a message as a front end does.
 * @param spell what to write for a name with or without a value; undefined for what is no option of this front end
 */
export function spellOptions(
  text: string,
  spell: (name: string, value: string | undefined) => string | undefined,
): string {
  return text.replace(OPTION, (all, name: string, value?: string) => spell(name, value) ?? all);
}

/** What a value is shown as in one line. */
export function shown(value: unknown): string {
  if (typeof value === 'number' || value === undefined) return String(value);
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** What is wrong with an option. */
export interface OptionFault {
  /** `an integer of at least 1`. */
  readonly expected?: string;
  /** The value that was given. */
  readonly found?: unknown;
  /** What to do, or why. */
  readonly hint?: string;
}

/** An option that cannot be what it is. Its message names it with {@link option}. */
export class OptionError extends UserError {
  static override readonly name: string = 'OptionError';
  override name = 'OptionError';
  readonly option: string;
  readonly expected: string | undefined;
  readonly found: unknown;
  readonly hint: string | undefined;

  constructor(name: string, fault: OptionFault) {
    const { expected, found, hint } = fault;
    const wanted = expected === undefined ? [] : [`expected ${expected}`];
    const given = 'found' in fault ? [`found ${shown(found)}`] : [];
    const parts = [[...wanted, ...given].join(', '), ...(hint === undefined ? [] : [hint])];
    super(`${option(name)}: ${parts.filter((part) => part !== '').join('; ')}`);
    this.option = name;
    this.expected = expected;
    this.found = found;
    this.hint = hint;
  }
}

/** More names than one begin with fewer letters. */
const SHORT = 5;

/** How many letters have to be changed, added, left out or swapped with the next to make all of `b`, or a beginning, of `a`. */
function editDistances(a: string, b: string): { whole: number; beginning: number } {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + Number(!same));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, rows[i - 2]![j - 2]! + 1);
      }
      row.push(least);
    }
    rows.push(row);
  }
  const toBeginnings = rows[a.length]!;
  return { whole: toBeginnings[b.length]!, beginning: Math.min(...toBeginnings) };
}

/**
 * The known name that was probably meant, else the one that was probably begun; undefined when none is like it. Case
 * and `_` or `-` do not count.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.replace(/[-_]/g, '').toLowerCase();
  const letters = plain(name);
  const distances = known.map((candidate) => ({ candidate, ...editDistances(letters, plain(candidate)) }));
  const nearest = (which: 'whole' | 'beginning', most: number) =>
    distances.filter((one) => one[which] <= most).sort((a, b) => a[which] - b[which])[0]?.candidate;
  const most = Math.floor(letters.length / 3);
  return (
    nearest('whole', Math.max(1, most)) ??
    (letters.length < SHORT ? undefined : nearest('beginning', most - 1))
  );
}
