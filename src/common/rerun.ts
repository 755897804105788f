import { statSync } from 'node:fs';

/**
 * The variable of the environment that says that everything is being computed again, as `writeup check` does: its
 * value is when that began, in milliseconds since 1970. Child processes inherit it.
 */
export const RERUN_VARIABLE = 'ARCLAB_RERUN_SINCE';

/** True for a file or folder that is older than the rerun that this process is part of: it is not one of its results. */
export function isFromBeforeRerun(path: string): boolean {
  const since = Number(process.env[RERUN_VARIABLE] ?? Number.NaN);
  return Number.isFinite(since) && (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < since;
}
