/** Submissions that fine-tune on each task by itself. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { loadTasks } from '../../src/arc/dataset.js';
import { validateSubmission } from '../../src/evaluation/submission.js';
import { readSafetensors, writeSafetensors } from '../../src/models/index.js';
import { openModel } from '../../src/session/index.js';
import { type SubmitOptions, submit } from '../../src/submit/submit.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';
import { launch } from './launch.js';

let modelPath = '';
let solved = '';
beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-per-task-'));
  modelPath = writeTinyModel(join(folder, 'model'));
  solved = writeTasks(join(folder, 'solved.json'), recolourTasks(4));
  return () => rmSync(folder, { recursive: true });
});

const promptVersion = 'output-from-examples-mini';
const options = (more: Partial<SubmitOptions> = {}): SubmitOptions => ({
  ...{ challengesPath: solved, outputDir: temporaryFolder(), modelPath, promptVersion },
  ...{ gridEncoder: 'MinimalGridEncoder()', maxNewTokens: 12, predictionsPerTask: 4, batchSize: 2 },
  ...{ fineTunePerTask: true, fineTuneSteps: 3, fineTuneBatchSize: 1, fineTuneLossOn: 'every-answer' },
  lora: { r: 2 },
  ...more,
});

const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8');
const names = ['submission.json', 'submission_task_results.json', 'failures.json'];
const valid = (folder: string) =>
  validateSubmission(JSON.parse(read(folder, 'submission.json')), loadTasks(solved));

async function adapterIn(folder: string): Promise<string> {
  using model = await openModel({ modelPath, gridEncoder: 'MinimalGridEncoder()', maxSeqLen: 512 });
  const [task] = loadTasks(solved);
  const tuning = { promptVersion, maxSteps: 2, maxSeqLen: 512, lora: { r: 2 } };
  await model.fineTuneOnTask(task!, tuning);
  await model.saveAdapter(folder);
  return folder;
}

describe('each task is fine-tuned on by itself', () => {
  test('one process, two and four give the same bytes, from a given adapter', {
    timeout: 120_000,
  }, async () => {
    const adapterPath = await adapterIn(join(temporaryFolder(), 'adapter'));
    const folders = [1, 2, 4].map((processes) => [processes, temporaryFolder()] as const);
    for (const [processes, outputDir] of folders) {
      const { failures, predictions } = await submit(options({ adapterPath, outputDir, processes }));
      expect(failures).toEqual([]);
      expect(predictions).toBe(16);
      expect(existsSync(join(outputDir, 'task-adapters'))).toBe(false);
    }
    for (const name of names) {
      const [one, ...others] = folders.map(([, folder]) => read(folder, name));
      for (const other of others) expect(other).toBe(one);
    }
  });

  test('what it predicts is what a session predicts after the same fine-tuning', async () => {
    const outputDir = temporaryFolder();
    await submit(options({ outputDir }));
    using model = await openModel({ modelPath, gridEncoder: 'MinimalGridEncoder()' });
    const expected = [];
    for (const task of loadTasks(solved)) {
      const tuning = {
        promptVersion,
        maxSteps: 3,
        batchSize: 1,
        lossOn: 'every-answer',
        lora: { r: 2 },
      } as const;
      await model.fineTuneOnTask(task, { ...tuning, start: null });
      const decoding = { predictionsPerTask: 4, batchSize: 2, maxNewTokens: 12, constrained: true };
      expected.push(...(await model.infer(new Map([task]), { promptVersion, ...decoding })).predictions);
    }
    const found = JSON.parse(read(outputDir, 'submission_task_results.json')) as { text: string }[];
    expect(found.map(({ text }) => text)).toEqual(expected.map(({ text }) => text));
  });

  test('ended by SIGKILL twice and continued: the same bytes as without', { timeout: 180_000 }, async () => {
    const flags = (folder: string, ...more: string[]) => [
      ...['submit', '--challenges', solved, '--model_path', modelPath, '--output_dir', folder],
      ...['--prompt_version', promptVersion, '--grid_encoder', 'MinimalGridEncoder()'],
      ...['--max_new_tokens', '12', '--predictions_per_task', '16', '--batch_size', '2', '--lora_r', '2'],
      ...['--fine_tune_per_task', '--fine_tune_steps', '3', '--fine_tune_batch_size', '1', ...more],
    ];
    const [whole, parts] = [temporaryFolder(), temporaryFolder()];
    expect((await launch(flags(whole)).ended).code).toBe(0);
    const partial = join(parts, 'submission.json.partial');
    const lines = () => (existsSync(partial) ? readFileSync(partial, 'utf8').split('\n').length - 1 : 0);
    for (const enough of [6, 26]) {
      const run = launch(flags(parts, '--processes', '2', ...(enough > 6 ? ['--resume'] : [])));
      await vi.waitFor(() => expect(lines()).toBeGreaterThan(enough), { timeout: 80_000, interval: 5 });
      run.child.kill('SIGKILL');
      await run.ended;
      valid(parts);
    }
    // later turns take adapters of earlier ones
    expect(readdirSync(join(parts, 'task-adapters')).length).toBeGreaterThan(0);
    expect((await launch(flags(parts, '--resume')).ended).code).toBe(0);
    for (const name of names) expect(read(parts, name)).toBe(read(whole, name));
  });
});

describe('mistakes are one line before a model is loaded', () => {
  const refused = async (more: Partial<SubmitOptions>) => {
    const outputDir = join(temporaryFolder(), 'out');
    const error: Error = await submit(options({ ...more, outputDir })).then(
      () => new Error('it was taken'),
      (reason) => reason,
    );
    expect(error.message).not.toContain('\n');
    expect(existsSync(join(outputDir, 'submission.json'))).toBe(false);
    return error.message;
  };

  test.each([
    [{ fineTuneSteps: 0 }, /`fineTunePerTask`: it needs `fineTuneSteps`/],
    [{ fineTuneGroups: 2 }, /`fineTuneGroups`: with `fineTunePerTask` each task is a group/],
    [{ fineTunePerTask: false, fineTuneStopLoss: 0.1 }, /`fineTuneStopLoss`: it needs `fineTunePerTask`/],
  ])('%j', async (more, message) => {
    expect(await refused(more)).toMatch(message);
  });

  test('a budget that is shorter than the least that a task takes', async () => {
    const large = join(temporaryFolder(), 'large');
    // the weights are read by nobody before
    cpSync(modelPath, large, { recursive: true });
    const config = JSON.parse(read(large, 'config.json'));
    const wide = { hidden_size: 8192, intermediate_size: 32768, num_hidden_layers: 128 };
    writeFileSync(join(large, 'config.json'), JSON.stringify({ ...config, ...wide }));
    const outputDir = temporaryFolder();
    await expect(submit(options({ modelPath: large, outputDir, timeBudget: 30 }))).rejects.toThrow(
      /^`timeBudget: 30s`: expected at least \d+s: one step and the first predictions of the cheapest task [^\n]*$/,
    );
    // what is on disk is valid
    valid(outputDir);
  });

  test('an adapter whose modules cannot be tuned', async () => {
    const adapterPath = await adapterIn(join(temporaryFolder(), 'adapter'));
    const path = join(adapterPath, 'adapter_model.safetensors');
    const tensors = readSafetensors(path);
    const name = 'base_model.model.lm_head.lora_A.weight';
    const [, any] = [...tensors][0]!;
    writeSafetensors(path, [...tensors, [name, any]]);
    expect(await refused({ adapterPath })).toMatch(/does not fit the base model: .*lm_head/);
  });
});
