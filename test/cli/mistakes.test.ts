import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { identityAugmentation } from '../../src/arc/augmentation.js';
import { saveDataset } from '../../src/arc/dataset.js';
import { main } from '../../src/cli/main.js';
import { saveResults } from '../../src/evaluation/files.js';
import { baseModelFolder } from '../../src/experiments/start.js';
import { catchPrinted } from './printed.js';

let folder: string;
let printed: { text: string };
const file = (name: string) => join(folder, name);
const task = {
  train: [{ input: [[1]], output: [[2]] }],
  test: [{ input: [[3]], output: [[4]] }],
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-mistakes-'));
  saveDataset(file('tasks.json'), new Map([['a', [task]]]));
  saveResults(file('inference.json'), [
    { taskId: 'a', testIndex: 0, grid: [[4]], logProb: -1, tokens: 2, augmentation: identityAugmentation },
  ]);
  printed = catchPrinted();
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

/** Runs a command that has to end with code 2. @returns its one line */
async function mistake(...args: string[]): Promise<string> {
  expect(await main(args)).toBe(2);
  expect(printed.text.trim().split('\n')).toHaveLength(1);
  return printed.text.trim();
}

it('names the argument that is too many', async () => {
  expect(await mistake('vote', '--input_path', file('inference_task_results.json'), 'yes')).toContain(
    'vote: unexpected argument "yes"',
  );
});

it('names the flag whose value is empty, as that of an unset variable is', async () => {
  expect(await mistake('evaluate', 'x.json', '--dataset_path', '')).toContain('--dataset_path: expected');
});

it('names the flag that was meant as the library names the option', async () => {
  expect(await mistake('fine-tune', '--learn', '1e-3')).toBe(
    "error: unknown option '--learn' (Did you mean --learning_rate?) (--help shows the options)",
  );
});

it('takes flags of earlier versions with a note, also where the flow has no notes', async () => {
  const [input, output] = [file('inference_task_results.json'), file('vote.json')];
  expect(await main(['vote', '--input_filepath', input, '--output_filepath', output])).toBe(0);
  expect(printed.text).toMatch(/^--input_filepath is now called --input_path$/m);
  expect(printed.text.match(/--output_filepath is now called --output_path$/gm)).toHaveLength(1);
  expect(existsSync(output)).toBe(true);
});

it('takes no integer that loses digits', async () => {
  expect(await mistake('generate-tasks', '--seed', '99999999999999999999', '--output_path', 'x')).toContain(
    '--seed: expected an integer, found',
  );
});

it('writes two outputs to two files', async () => {
  const [input, data] = [file('inference_task_results.json'), file('tasks.json')];
  const same = ['--output_path', file('same.json'), '--submission_path', file('same.json')];
  expect(await mistake('vote', '--input_path', input, '--dataset_path', data, ...same)).toContain(
    '--submission_path',
  );
  expect(existsSync(file('same.json'))).toBe(false);
});

it('names the file that cannot be written, and no temporary one', async () => {
  mkdirSync(file('taken'));
  const line = await mistake('generate-tasks', '--count', '1', '--output_path', file('taken'));
  expect(line).toContain(`${file('taken')}: cannot write: illegal operation on a directory`);
  expect(line).not.toContain('.tmp-');
});

it('sends no control characters of a file to the terminal', async () => {
  writeFileSync(file('bad.json'), '\u001b[2J');
  expect(await mistake('evaluate', file('inference.json'), '--dataset_path', file('bad.json'))).toContain(
    '\\u001b',
  );
});

it.each([
  ['', 'found an empty file'],
  ['{"a": {"train": [{"input": [[10]], "output": [[1]]}]}}', 'must be at most 9, found 10'],
  ['{"a": {"train": [{"input": [[-1]], "output": [[1]]}]}}', 'must be at least 0, found -1'],
])('says in words what is wrong with the data set %s', async (content, words) => {
  writeFileSync(file('bad.json'), content);
  expect(await mistake('evaluate', file('inference.json'), '--dataset_path', file('bad.json'))).toContain(
    words,
  );
});

it('knows an adapter that is given as a model, and weights that git-lfs has not fetched', async () => {
  const infer = (model: string) =>
    mistake(
      'infer',
      ...['--model_path', model, '--dataset_path', file('tasks.json'), '--output_path'],
      file('x.json'),
    );
  mkdirSync(file('adapter'));
  writeFileSync(file('adapter/adapter_config.json'), '{}');
  expect(await infer(file('adapter'))).toContain('found an adapter; give it with --adapter_path');
  printed.text = '';
  cpSync(baseModelFolder(), file('model'), { recursive: true });
  writeFileSync(
    file('model/model.safetensors'),
    'version https://git-lfs.github.com/spec/v1\noid sha256:1\n',
  );
  expect(await infer(file('model'))).toContain('git lfs pull');
});

it('refuses DoRA without an adapter', async () => {
  const data = ['--train_datasets', file('tasks.json'), 'output-from-examples-mini', '--max_steps', '1'];
  const flags = ['--model_path', baseModelFolder(), '--output_dir', file('m'), '--no-use_lora', '--use_dora'];
  expect(await mistake('fine-tune', ...data, ...flags)).toContain('leave one of the two out');
});

it('shows a flag and its opposite in one line of help', async () => {
  expect(await main(['infer', '--help'])).toBe(0);
  expect(printed.text).toMatch(/--\[no-\]constrained +let the model/);
  expect(printed.text).not.toContain('turn --');
  for (const line of printed.text.split('\n'))
    if (!line.includes('GridShapeEncoder')) expect(line.length).toBeLessThanOrEqual(80);
});
