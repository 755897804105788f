import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { configDefaults, loadConfig } from '../../src/kaggle/config.js';
import { datasetMetadata, kernelMetadata } from '../../src/kaggle/metadata.js';

function load(value: unknown) {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'submission.json');
  writeFileSync(path, JSON.stringify(value));
  return loadConfig(path);
}

it('has a default for everything', () => {
  expect(loadConfig()).toEqual(configDefaults);
  expect(load({})).toEqual(configDefaults);
});

it('takes GPUs that are not here', () => {
  const submit = { devices: ['cuda:0', 'cuda:1'], promptVersion: 'output-from-examples-mini' };
  expect(load({ submit }).submit).toEqual(submit);
});

it('takes the backend that is left', () => {
  expect(load({ leaveOut: ['torch'] }).backend).toBe('wasm');
  expect(load({ leaveOut: ['wasm'] }).backend).toBe('torch');
});

it('takes the address from the title, and the title from the address', () => {
  expect(load({ title: 'ARC: third try' })).toMatchObject({ slug: 'arc-third-try', title: 'ARC: third try' });
  expect(load({ slug: 'third-try' })).toMatchObject({ slug: 'third-try', title: 'third try' });
});

it.each([
  [{ title: 'ARC!' }, '/title: must NOT have fewer than 5 characters'],
  [{ title: '!!!!!' }, '/slug'],
  [{ slug: 'Not_a_slug' }, '/slug: must match pattern'],
  [{ slug: 'abc' }, '/title: must NOT have fewer than 5 characters'],
  [{ title: 'third try', slug: 'second-try' }, 'gives the address third-try, not second-try'],
  [{ models: ['qwen/qwen2.5'] }, '/models/0: must match pattern'],
  [{ datasets: ['qwen'] }, '/datasets/0: must match pattern'],
  [{ dataset: { slug: 'my-weights', title: 'My weights', license: 'mine' } }, 'must be one of CC0-1.0'],
  [{ leaveOut: ['everything'] }, 'must be one of torch, wasm, comments'],
  [{ backend: 'torch', leaveOut: ['torch'] }, 'the backend torch is to be used and to be left out'],
  [{ timeBudget: '1.2.3h' }, 'at /timeBudget: expected a duration such as 11.5h'],
  [{ draftTimeBudget: 'soon' }, 'at /draftTimeBudget: expected a duration'],
  [{ backend: 'tourch' }, '/backend: must be one of torch, wasm'],
  [{ submit: { predictionPerTask: 4 } }, '/submit: must not have the property "predictionPerTask"'],
  [{ submit: { modelPath: 'base' } }, '/submit: must not have the property "modelPath"'],
  [{ submit: { torchDtype: 'half' } }, '/submit/torchDtype: must be one of float32, bfloat16, float16'],
  [{ submit: { fineTuneShare: 1.5 } }, 'at /submit: --fine_tune_share: expected a number between 0 and 1'],
  [{ submit: { gridEncoder: 'Nope()' } }, 'at /submit: Grid encoder "Nope()"'],
  [{ submit: { promptVersion: 'nope' } }, 'at /submit: Unknown prompt kind "nope"'],
  [{ submit: { promptVersion: 'input-from-inputs-mini' } }, 'asks for input-from-inputs; submit needs'],
  [{ submit: { device: 'tpu' } }, 'at /submit: --device: expected cpu, cuda or cuda:<n>, found "tpu"'],
  [{ backend: 'wasm', submit: { devices: ['cuda:0', 'cuda:1'] } }, 'the backend wasm has no GPUs'],
  [{ internet: true }, 'must not have the property "internet"'],
])('says what is wrong with %j', (config, message) => {
  expect(() => load(config)).toThrow(message);
});

it('writes the metadata that Kaggle wants', () => {
  const config = load({
    owner: 'someone',
    title: 'third try',
    models: ['qwen-lm/qwen2.5/transformers/0.5b-instruct/1'],
    datasets: ['someone/node'],
    dataset: { slug: 'my-adapter', title: 'My adapter', license: 'MIT' },
  });
  expect(kernelMetadata(config)).toEqual({
    id: 'someone/third-try',
    title: 'third try',
    code_file: 'third-try.ipynb',
    language: 'python',
    kernel_type: 'notebook',
    is_private: true,
    enable_gpu: true,
    enable_tpu: false,
    enable_internet: false,
    machine_shape: 'NvidiaTeslaT4',
    dataset_sources: ['someone/node', 'someone/my-adapter'],
    competition_sources: ['arc-prize-2025'],
    kernel_sources: [],
    model_sources: ['qwen-lm/qwen2.5/transformers/0.5b-instruct/1'],
    keywords: [],
  });
  expect(datasetMetadata(config)).toEqual({
    title: 'My adapter',
    id: 'someone/my-adapter',
    licenses: [{ name: 'MIT' }],
  });
  expect(datasetMetadata(configDefaults)).toBeUndefined();
  expect(kernelMetadata({ ...configDefaults, accelerator: 'none' })).toMatchObject({ enable_gpu: false });
});
