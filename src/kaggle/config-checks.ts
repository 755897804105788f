/** Configurations of the right shape that cannot work on Kaggle; each check gives one sentence, or nothing. */
import { parseDuration } from '../common/duration.js';
import { parseDevice } from '../tensors/device.js';
import { machines, retired, SESSION_MARGIN } from './machines.js';
import type { KaggleConfig } from './types.js';

type ConfigCheck = (config: KaggleConfig) => string | undefined;

const accelerator: ConfigCheck = ({ accelerator }) => {
  if (Object.hasOwn(machines, accelerator)) return undefined;
  const next = Object.hasOwn(retired, accelerator) ? retired[accelerator] : undefined;
  if (next !== undefined) return `at /accelerator: Kaggle has retired ${accelerator}: use ${next}`;
  if (/^tpu/i.test(accelerator))
    return `at /accelerator: arclab does not compute on TPUs, found ${accelerator}`;
  return `at /accelerator: expected one of ${Object.keys(machines).join(', ')}, found ${accelerator}`;
};

const timeBudgets: ConfigCheck = ({ accelerator, ...config }) => {
  const { hours, label } = machines[accelerator]!;
  const most = hours * 3600 - SESSION_MARGIN;
  for (const name of ['timeBudget', 'draftTimeBudget'] as const) {
    if (parseDuration(config[name], `at /${name}`) <= most) continue;
    return (
      `at /${name}: a session on ${accelerator} (${label}) ends after ${hours}h, and ${SESSION_MARGIN / 60} minutes ` +
      `of it are needed besides: expected at most ${most / 3600}h, found ${config[name]}`
    );
  }
  return undefined;
};

const floatType: ConfigCheck = ({ accelerator, submit }) => {
  const { bfloat16, label } = machines[accelerator]!;
  if (submit.dtype !== 'bfloat16' || bfloat16) return undefined;
  return `at /submit/dtype: the GPUs of ${accelerator} (${label}) have no bfloat16: use float16, or leave it out`;
};

const devices: ConfigCheck = ({ accelerator, submit }) => {
  const { gpus, label } = machines[accelerator]!;
  const named = [submit.device ?? [], submit.devices ?? []].flat() as string[];
  for (const name of named) {
    const device = parseDevice(name);
    if (device.type === 'cpu' || device.index < gpus) continue;
    const there =
      gpus === 0 ? 'has no GPU' : `(${label}) has cuda:0${gpus > 1 ? ` to cuda:${gpus - 1}` : ''}`;
    return `at /submit: ${name} is not there: ${accelerator} ${there}`;
  }
  return undefined;
};

const models: ConfigCheck = ({ models, datasets, dataset, owner, model }) => {
  if (model === undefined) {
    if (models.length < 2) return undefined;
    return `at /models: ${models.length} models are attached and none is named: set "model" to ${models.join(' or ')}`;
  }
  const attached = [...models, ...datasets, ...(dataset ? [`${owner}/${dataset.slug}`] : [])];
  if (attached.includes(model)) return undefined;
  return `at /model: expected one of the attached (${attached.join(', ') || 'nothing is attached'}), found ${model}`;
};

/** Fields that follow from the options of a configuration. */
const SETTLED = new Set([
  'id',
  'title',
  'code_file',
  'language',
  'kernel_type',
  'enable_gpu',
  'enable_internet',
  'machine_shape',
  'dataset_sources',
  'competition_sources',
  'model_sources',
  'docker_image',
  'docker_image_pinning_type',
]);

const metadata: ConfigCheck = ({ metadata = {} }) => {
  const names = Object.keys(metadata).filter((name) => SETTLED.has(name));
  if (names.length === 0) return undefined;
  return `at /metadata: the configuration has options of its own for ${names.join(', ')}`;
};

/** The first reason why a notebook of this configuration cannot work; undefined when none is known. */
export function reasonAgainst(config: KaggleConfig): string | undefined {
  for (const check of [accelerator, timeBudgets, floatType, devices, models, metadata]) {
    const reason = check(config);
    if (reason !== undefined) return reason;
  }
  return undefined;
}
