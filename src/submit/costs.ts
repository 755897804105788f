/** @file Work as tokens, and tokens as seconds. */

/** Tokens that a piece of work feeds: to learn from, as prompts, and one after the other as answers. */
export interface Tokens {
  readonly tune: number;
  readonly prompt: number;
  readonly answer: number;
}

/** Tokens for each second of one process, for each kind of work. */
export type Speeds = Tokens;

/** What is predicted before anything is measured: only the ratios of the kinds matter by then. */
export const usualSpeeds: Speeds = { tune: 1000, prompt: 3000, answer: 100 };

/** Seconds that work is predicted to take a process at given speeds. */
export function secondsAt({ tune, prompt, answer }: Tokens, speeds: Speeds) {
  return { tune: tune / speeds.tune, predict: prompt / speeds.prompt + answer / speeds.answer };
}
