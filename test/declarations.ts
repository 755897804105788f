import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { packageRoot } from '../src/common/files.js';

/**
 * Writes the declarations (dist/types) from today's source: the first test file of a run that needs them does, the
 * others wait for it. It takes ten seconds, which a run of other tests is spared, as is one whose declarations are newer
 * than the source.
 */
export async function buildDeclarations(): Promise<void> {
  const claim = join(inject('runFolder'), 'declarations');
  const done = join(claim, 'done');
  try {
    mkdirSync(claim);
  } catch {
    for (let waited = 0; !existsSync(done); waited++) {
      if (waited > 3500)
        throw new Error('the declarations were not written within 350 s by another test file');
      await sleep(100);
    }
    return;
  }
  const script = join(packageRoot(), 'scripts/build.mjs');
  await promisify(execFile)(process.execPath, [script, '--types-only']);
  writeFileSync(done, '');
}
