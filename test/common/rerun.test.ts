import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { isFromBeforeRerun, RERUN_VARIABLE } from '../../src/common/rerun.js';

afterEach(() => vi.unstubAllEnvs());

test('only what is older than the rerun is from before it; without a rerun nothing is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rerun-'));
  const path = join(folder, 'a.json');
  writeFileSync(path, '{}');
  utimesSync(path, 1000, 1000);
  expect(isFromBeforeRerun(path)).toBe(false);
  vi.stubEnv(RERUN_VARIABLE, '1000001');
  expect(isFromBeforeRerun(path)).toBe(true);
  expect(isFromBeforeRerun(join(folder, 'missing.json'))).toBe(false);
  vi.stubEnv(RERUN_VARIABLE, '999999');
  expect(isFromBeforeRerun(path)).toBe(false);
  rmSync(folder, { recursive: true });
});
