import type { Completeness, Completions } from './language.js';

/** Questions to the language thread. Offsets are UTF-16. */
export type Question =
  | { type: 'add'; name: string; code: string }
  | { type: 'check'; name: string }
  | { type: 'complete'; code: string; offset: number }
  | { type: 'inspect'; code: string; offset: number }
  | { type: 'completeness'; code: string };

/** Its answer; `undefined` where there is none. */
export type LanguageAnswer = string[] | Completions | string | Completeness | undefined;
