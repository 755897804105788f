import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { configDefaults, loadConfig } from '../../src/kaggle/config.js';
import { contests } from '../../src/kaggle/machines.js';
import {
  checkKernelMetadata,
  datasetMetadata,
  kernelMetadata,
  unknownFields,
} from '../../src/kaggle/metadata.js';

const QWEN = 'qwen-lm/qwen2.5/transformers/0.5b-instruct/1';
const LARGER = 'qwen-lm/qwen2.5/transformers/1.5b-instruct/1';

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

it('takes machine, competition and time from a contest, and what is named besides', () => {
  expect(load({ contest: 'arc-prize-2026', timeBudget: '11h' })).toEqual({
    ...configDefaults,
    competition: 'arc-prize-2026-arc-agi-2',
    accelerator: 'NvidiaL4',
    timeBudget: '11h',
  });
  expect(load({ contest: 'arc-prize-2025' })).toEqual(configDefaults);
});

it.each(Object.keys(contests))('has no contest that its own checks refuse: %s', (contest) => {
  const { accelerator, competition } = load({ contest });
  expect(kernelMetadata(load({ contest }))).toMatchObject({
    machine_shape: accelerator,
    competition_sources: [competition],
  });
});

it('takes what the machine has', () => {
  const submit = { dtype: 'bfloat16', devices: ['cuda:0', 'cuda:3'] };
  expect(load({ accelerator: 'NvidiaL4', submit }).submit).toEqual(submit);
  expect(load({ accelerator: 'NvidiaTeslaT4', submit: { dtype: 'float16' } })).toBeDefined();
  expect(load({ models: [QWEN, LARGER], model: LARGER }).model).toBe(LARGER);
  expect(
    load({
      owner: 'me',
      dataset: { slug: 'my-model', title: 'My model', license: 'MIT' },
      model: 'me/my-model',
    }),
  ).toBeDefined();
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
  [
    { models: [QWEN, LARGER] },
    `at /models: 2 models are attached and none is named: set "model" to ${QWEN} or ${LARGER}`,
  ],
  [{ models: [QWEN], model: LARGER }, `at /model: expected one of the attached (${QWEN}), found ${LARGER}`],
  [{ model: 'someone/x' }, 'at /model: expected one of the attached (nothing is attached)'],
  [
    { timeBudget: '13h' },
    'at /timeBudget: a session on NvidiaTeslaT4 (T4 ×2) ends after 12h, and 3 minutes of it are needed besides: expected at most 11.95h, found 13h',
  ],
  [{ timeBudget: '12h' }, 'expected at most 11.95h, found 12h'],
  [{ draftTimeBudget: '720m' }, 'at /draftTimeBudget: a session on'],
  [
    { accelerator: 'NvidiaTeslaP100' },
    'at /accelerator: Kaggle has retired NvidiaTeslaP100: use NvidiaTeslaT4',
  ],
  [{ accelerator: 'TpuV5E8' }, 'at /accelerator: arclab does not compute on TPUs, found TpuV5E8'],
  [{ accelerator: 'T4' }, 'at /accelerator: expected one of none, NvidiaTeslaT4, '],
  [{ accelerator: 'toString' }, 'at /accelerator: expected one of'],
  [
    { submit: { dtype: 'bfloat16' } },
    'at /submit/dtype: the GPUs of NvidiaTeslaT4 (T4 ×2) have no bfloat16: use float16',
  ],
  [
    { submit: { devices: ['cuda:0', 'cuda:2'] } },
    'at /submit: cuda:2 is not there: NvidiaTeslaT4 (T4 ×2) has cuda:0 to cuda:1',
  ],
  [
    { accelerator: 'NvidiaL4X1', submit: { device: 'cuda:1' } },
    'cuda:1 is not there: NvidiaL4X1 (L4) has cuda:0',
  ],
  [{ accelerator: 'none', submit: { device: 'cuda' } }, 'cuda is not there: none has no GPU'],
  [
    { dataset: { slug: 'ada', title: 'My adapter', license: 'MIT' } },
    '/dataset/slug: must NOT have fewer than 6 characters',
  ],
  [
    { dataset: { slug: 'a'.repeat(51), title: 'My adapter', license: 'MIT' } },
    '/dataset/slug: must NOT have more than 50 characters',
  ],
  [
    { title: 'Müller’s try' },
    'at /title: Kaggle makes other characters of ü ’ in the address: expected ASCII, found "Müller’s try"',
  ],
  [{ title: '1,000 steps', slug: '1-000-steps' }, 'gives the address 1000-steps, not 1-000-steps'],
  [{ contest: 'arc-prize-2019' }, '/contest: must be one of arc-prize-2025, arc-prize-2026'],
  [{ dockerImage: 'newest' }, '/dockerImage: must match pattern'],
  [
    { metadata: { enable_internet: true, keywords: [] } },
    'at /metadata: the configuration has options of its own for enable_internet',
  ],
  [{ datasets: ['qwen'] }, '/datasets/0: must match pattern'],
  [{ dataset: { slug: 'my-weights', title: 'My weights', license: 'mine' } }, 'must be one of CC0-1.0'],
  [{ leaveOut: ['everything'] }, 'must be one of torch, wasm, comments'],
  [{ backend: 'torch', leaveOut: ['torch'] }, 'the backend torch is to be used and to be left out'],
  [{ timeBudget: '1.2.3h' }, 'at /timeBudget: expected a duration such as 11.5h'],
  [{ draftTimeBudget: 'soon' }, 'at /draftTimeBudget: expected a duration'],
  [{ backend: 'tourch' }, '/backend: must be one of torch, wasm'],
  [
    { submit: { predictionPerTask: 4 } },
    'submit.predictionPerTask: there is no such option here; did you mean submit.predictionsPerTask?',
  ],
  [{ submit: { modelPath: 'base' } }, 'submit.modelPath: there is no such option here'],
  [{ submit: { dtype: 'half' } }, 'submit.dtype: expected one of float32, bfloat16, float16, found "half"'],
  [{ submit: { fineTuneShare: 1.5 } }, 'submit.fineTuneShare: expected a number between 0 and 1'],
  [{ submit: { gridEncoder: 'Nope()' } }, 'submit: Grid encoder "Nope()"'],
  [{ submit: { promptVersion: 'nope' } }, 'submit: Unknown prompt kind "nope"'],
  [{ submit: { promptVersion: 'input-from-inputs-mini' } }, 'asks for input-from-inputs; submit needs'],
  [{ submit: { device: 'tpu' } }, 'submit.device: expected cpu, cuda or cuda:<n>, found "tpu"'],
  [{ backend: 'wasm', submit: { devices: ['cuda:0', 'cuda:1'] } }, 'the backend wasm has no GPUs'],
  [{ internet: true }, 'must not have the property "internet"'],
  [{ modles: [] }, 'must not have the property "modles" (did you mean "models"?)'],
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

it.each([
  ['original', { docker_image_pinning_type: 'original' }],
  ['latest', { docker_image_pinning_type: 'latest' }],
  [
    'gcr.io/kaggle-images/python@sha256:0123',
    { docker_image: 'gcr.io/kaggle-images/python@sha256:0123', docker_image_pinning_type: 'original' },
  ],
])('pins the image %s', (dockerImage, fields) => {
  expect(kernelMetadata(load({ dockerImage }))).toMatchObject(fields);
});

it('attaches a Node.js, and passes fields on', () => {
  const metadata = { keywords: ['arc'], is_private: 'false', tomorrow: { x: 1 } };
  const written = kernelMetadata(load({ nodeDataset: 'someone/arclab-node', metadata }));
  expect(written).toMatchObject({ dataset_sources: ['someone/arclab-node'], ...metadata });
  expect(unknownFields(written)).toEqual(['tomorrow']);
  expect(unknownFields(kernelMetadata(configDefaults))).toEqual([]);
});

it("reads the truth values of Kaggle's own template", () => {
  const template = { is_private: 'true', enable_gpu: 'true', enable_tpu: 'false', enable_internet: 'false' };
  const metadata = { ...kernelMetadata(configDefaults), ...template };
  expect(checkKernelMetadata(metadata, 'kernel-metadata.json')).toBe(metadata);
  expect(() => checkKernelMetadata({ ...metadata, enable_internet: 'true' }, 'kernel-metadata.json')).toThrow(
    'at /enable_internet: must be one of false, false, found "true"',
  );
  expect(() => checkKernelMetadata({ ...metadata, is_private: 'yes' }, 'kernel-metadata.json')).toThrow(
    '/is_private: must be one of true, false',
  );
});
