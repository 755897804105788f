import { UserError } from './errors.js';

/** Devices of Windows, which are no files whatever stands behind the dot. */
const DEVICES = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

/** Why one part of a path cannot name a file below a folder; undefined when it can, on any system. */
function objection(part: string): string | undefined {
  if (part === '' || part === '.' || part === '..') return 'it leaves its folder';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\x00-\x1f\x7f]/.test(part)) return 'it has a control character';
  if (/[\\:]/.test(part)) return 'it has a backslash or a colon';
  if (DEVICES.test(part)) return 'it names a device of Windows';
  return undefined;
}

/**
 * The parts of a name that comes from a foreign file, archive or server, and that is to lie below a folder.
 * @param source where the name comes from, for the error
 * @throws {UserError} when it may lead elsewhere, on any system
 */
export function partsOf(name: string, source: string): string[] {
  const parts = name.split('/');
  const found = parts.map(objection).find((reason) => reason !== undefined);
  if (found === undefined) return parts;
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}...` : name);
  throw new UserError(`${source}: expected the name of a file inside a folder, found ${shown}: ${found}`);
}
