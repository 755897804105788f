/**
 * The variable of the environment that says that output goes to a display which lets a line be written over, though
 * it is no terminal: a notebook.
 */
export const LIVE_VARIABLE = 'ARCLAB_LIVE_LINES';

const WIDTH = 79;

/**
 * A line of progress where no bar can be drawn. In a notebook the next one takes its place, so that
 * nothing that depends on the clock stays there.
 */
export function liveLine(text: string): string {
  return process.env[LIVE_VARIABLE] ? `${text.padEnd(WIDTH)}\r` : `${text}\n`;
}

/** Takes the last {@link liveLine} away; empty where lines stay. */
export function endOfLiveLines(): string {
  return process.env[LIVE_VARIABLE] ? `${' '.repeat(WIDTH)}\r` : '';
}
