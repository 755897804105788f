/** The scripts of examples/ run, each as a person runs it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { runNotebook } from '../../kernel/runner/index.js';
import { packageRoot } from '../../src/common/files.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-examples-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const examples = join(packageRoot(), 'examples');
const scripts = readdirSync(examples).filter((name) => name.endsWith('.ts'));

test.each(scripts)('%s', { timeout: 300_000 }, async (name) => {
  const output = join(folder, name.replace(/\.ts$/, '.ipynb'));
  const { ran, failures } = await runNotebook({ path: join(examples, name), output });
  expect(failures).toEqual([]);
  expect(ran).toBeGreaterThan(1);
});
