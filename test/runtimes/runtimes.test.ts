/** The command line on other runtimes of JavaScript than Node: the same predictions. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildFile, packageRoot } from '../../src/common/files.js';
import { programUnderTest } from '../prerequisites/index.js';

const runtimes = {
  deno: { program: programUnderTest('deno'), flags: ['run', '--allow-all'] },
  bun: { program: programUnderTest('bun'), flags: ['run'] },
};

const folder = mkdtempSync(join(tmpdir(), 'arclab-runtimes-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs arclab on a runtime, in a folder of its own. @returns what it prints */
const arclab = (program: string, flags: readonly string[], ...args: string[]): string =>
  execFileSync(program, [...flags, buildFile('arclab.cjs'), ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, ARCLAB_BACKEND: 'wasm' },
  });

const infer = (output: string): string[] => [
  ...['infer', '--model_path', join(packageRoot(), 'assets/base-model'), '--dataset_path', 'tasks.json'],
  ...['--prompt_version', 'output-from-examples-mini', '--grid_encoder', 'MinimalGridEncoder()'],
  ...['--constrained', '--predictions_per_task', '2', '--temperature', '0.7', '--output_path', output],
];

beforeAll(() => {
  const flags = ['--count', '3', '--max_size', '4', '--generators', 'recolor-one,keep-color,transpose'];
  arclab(process.execPath, [], 'generate-tasks', '--output_path', 'tasks.json', ...flags);
  arclab(process.execPath, [], ...infer('node.json'));
});

describe.each(Object.entries(runtimes))('%s', (name, { program, flags }) => {
  test.skipIf(program === undefined)('infer gives the bytes that it gives on Node', () => {
    arclab(program!, flags, ...infer(`${name}.json`));
    const written = (path: string) => readFileSync(join(folder, path), 'utf8');
    expect(written(`${name}.json`)).toBe(written('node.json'));
    expect(written(`${name}_task_results.json`)).toBe(written('node_task_results.json'));
    expect(Object.keys(JSON.parse(written('node.json')))).toHaveLength(3);
  });
});
