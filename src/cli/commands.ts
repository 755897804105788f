import type { CommandFile } from './command.js';

/** Every command: what `arclab --help` says of it, and where it is. Files are loaded when they are run. */
export const commands: Record<string, { summary: string; load: () => Promise<{ default: CommandFile }> }> =
  {};
