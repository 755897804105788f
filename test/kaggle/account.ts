import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { configDefaults } from '../../src/kaggle/config.js';
import { kernelMetadata } from '../../src/kaggle/metadata.js';
import { notebookFile } from '../../src/kaggle/notebook.js';
import type { KaggleConfig } from '../../src/kaggle/types.js';

/** A folder of one test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-kaggle-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Puts a client in the place of Kaggle's for one test, which answers as told. @returns the calls it has had */
export function fakeAccount(answers: object = {}): () => string[][] {
  const folder = temporaryFolder();
  const program = join(folder, 'bin/kaggle');
  mkdirSync(join(folder, 'bin'));
  copyFileSync(join(packageRoot(), 'test/kaggle/fake-client.cjs'), program);
  chmodSync(program, 0o755);
  const state = join(folder, 'server.json');
  writeFileSync(state, JSON.stringify(answers));
  const { PATH, FAKE_KAGGLE } = process.env;
  process.env.PATH = `${join(folder, 'bin')}${delimiter}${PATH}`;
  process.env.FAKE_KAGGLE = state;
  onTestFinished(() => {
    process.env.PATH = PATH;
    if (FAKE_KAGGLE === undefined) delete process.env.FAKE_KAGGLE;
    else process.env.FAKE_KAGGLE = FAKE_KAGGLE;
  });
  return () => JSON.parse(readFileSync(state, 'utf8')).calls ?? [];
}

/** A folder as a build writes it, with a small notebook. */
export function smallBuild(config: Partial<KaggleConfig> = {}): string {
  const folder = temporaryFolder();
  const whole = { ...configDefaults, owner: 'someone', ...config };
  writeFileSync(join(folder, 'kernel-metadata.json'), JSON.stringify(kernelMetadata(whole)));
  const cells = [{ id: 'one', type: 'code', source: 'print(1)' } as const];
  writeFileSync(join(folder, `${whole.slug}.ipynb`), JSON.stringify(notebookFile(cells, {})));
  return folder;
}
