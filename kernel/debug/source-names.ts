import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { murmur2 } from './murmur2.js';

/** How clients name a cell: `prefix + murmur2(code, seed) + suffix`, as `debugInfo` tells them. No such file exists. */
export const CELL_NAMES = {
  hashMethod: 'Murmur2',
  // the one of ipykernel
  hashSeed: 0xc70f6907,
  tmpFilePrefix: join(tmpdir(), `arclab_kernel_${process.pid}`) + sep,
  tmpFileSuffix: '.ts',
};

/** The path that stands for a cell with this code. */
export function cellPath(code: string): string {
  const { tmpFilePrefix, hashSeed, tmpFileSuffix } = CELL_NAMES;
  return `${tmpFilePrefix}${murmur2(code, hashSeed)}${tmpFileSuffix}`;
}

/** The file behind the address of a script, `file:///project/a.ts?v=3`; undefined where there is none. */
export function filePath(url: string): string | undefined {
  if (!url.startsWith('file:')) return undefined;
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}
