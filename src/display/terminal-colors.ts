import pc from 'picocolors';

/** What {@link takesColors} looks at in a stream. */
export interface ColorTarget {
  isTTY?: boolean;
}

/**
 * Whether colours are welcome in what is written to a stream: on a terminal, unless NO_COLOR is set; in a pipe
 * or a file only where FORCE_COLOR asks for them.
 */
export function takesColors(
  target: ColorTarget,
  env: Record<string, string | undefined> = process.env,
): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return target.isTTY === true && env.TERM !== 'dumb';
}

/** Colours for what is written to this stream. It is asked at every call, as the other one may be a file. */
export const colorsFor = (stream: ColorTarget) => pc.createColors(takesColors(stream));
