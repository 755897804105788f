import { UserError } from './errors.js';

const SECONDS = { h: 3600, m: 60, s: 1 } as const;

/** No session lasts longer, and a timer cannot wait longer than 24 days. */
const MOST_HOURS = 500;

/** Reads a duration such as `11.5h`, `90m` or `3600s`. @returns seconds @throws {UserError} naming the flag */
export function parseDuration(text: string, flag: string): number {
  const match = /^(\d+(?:\.\d+)?)([hms])$/.exec(text);
  const seconds = match ? Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS] : Number.NaN;
  if (seconds > 0 && seconds <= MOST_HOURS * 3600) return seconds;
  throw new UserError(
    `${flag}: expected a duration such as 11.5h, 90m or 3600s, of at most ${MOST_HOURS}h, found ${JSON.stringify(text)}`,
  );
}

/** A duration in words as short as `3s`, `2m05s` or `1h07m`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
}
