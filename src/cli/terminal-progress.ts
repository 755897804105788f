import { colorsFor } from '../display/terminal-colors.js';
import { showProgress } from '../progress/index.js';
import { spellFlags } from './flags.js';

/** Progress on the standard error, with options spelled as flags. */
export const terminalProgress = (options: { verbose?: boolean } = {}): ReturnType<typeof showProgress> =>
  showProgress(process.stderr, {
    ...options,
    spell: (text) => spellFlags(text),
    heading: (text) => colorsFor(process.stderr).bold(text),
  });
