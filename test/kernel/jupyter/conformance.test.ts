import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pythonWith } from '../../prerequisites/index.js';
import { type Installed, installKernel } from '../installed.js';

const python = pythonWith('jupyter_kernel_test', 'jupyter_client');

describe.skipIf(python === undefined)('the official suite', () => {
  let installed: Installed;
  beforeAll(() => {
    installed = installKernel();
  });
  afterAll(() => installed.remove());

  test('passes, and skips nothing', { timeout: 180_000 }, () => {
    const script = fileURLToPath(new URL('./conformance.py', import.meta.url));
    const { stderr, status } = spawnSync(python!, [script], { env: installed.env, encoding: 'utf8' });
    const { length: failuresNamed } = stderr.match(/^(FAIL|ERROR): /gm) ?? [];
    expect(failuresNamed, stderr).toBe(0);
    expect(stderr).toMatch(/^Ran 1[2-9] tests/m);
    expect(stderr).not.toMatch(/skipped/i);
    expect(stderr).toMatch(/^OK$/m);
    expect(status).toBe(0);
  });
});
