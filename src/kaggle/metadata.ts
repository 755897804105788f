/** The two files that Kaggle's own command line reads beside a notebook, as it wants them. */
import { compileSchema } from '../common/schema.js';
import { datasetSourceSchema, type KaggleConfig, licenses, modelSourceSchema, slugSchema } from './config.js';

const strings = { type: 'array', items: { type: 'string' } } as const;

/** `kernel-metadata.json`. */
export const checkKernelMetadata = compileSchema<Record<string, unknown>>(
  {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'title', 'code_file', 'language', 'kernel_type', 'is_private', 'enable_internet'],
    properties: {
      id: datasetSourceSchema,
      id_no: { type: 'integer' },
      title: { type: 'string', minLength: 5 },
      code_file: { type: 'string', pattern: '\\.ipynb$' },
      language: { const: 'python' },
      kernel_type: { const: 'notebook' },
      is_private: { type: 'boolean' },
      enable_gpu: { type: 'boolean' },
      enable_tpu: { type: 'boolean' },
      // a submission is rerun without a network, and Kaggle's own default is true
      enable_internet: { const: false },
      machine_shape: { type: 'string', minLength: 1 },
      dataset_sources: { type: 'array', items: datasetSourceSchema },
      competition_sources: { type: 'array', items: slugSchema },
      kernel_sources: strings,
      model_sources: { type: 'array', items: modelSourceSchema },
      keywords: strings,
      docker_image: { type: 'string' },
      docker_image_pinning_type: { enum: ['original', 'latest'] },
    },
  },
  "Kaggle's kernel-metadata.json",
);

/** `dataset-metadata.json`. */
export const checkDatasetMetadata = compileSchema<Record<string, unknown>>(
  {
    type: 'object',
    required: ['title', 'id', 'licenses'],
    properties: {
      title: { type: 'string', minLength: 6, maxLength: 50 },
      id: datasetSourceSchema,
      licenses: {
        type: 'array',
        minItems: 1,
        maxItems: 1,
        items: { type: 'object', required: ['name'], properties: { name: { enum: licenses } } },
      },
    },
  },
  "Kaggle's dataset-metadata.json",
);

/** What Kaggle has to know of the notebook. */
export function kernelMetadata(config: KaggleConfig): Record<string, unknown> {
  const { owner, slug, title, accelerator, dataset } = config;
  const own = dataset ? [`${owner}/${dataset.slug}`] : [];
  return checkKernelMetadata(
    {
      id: `${owner}/${slug}`,
      title,
      code_file: `${slug}.ipynb`,
      language: 'python',
      kernel_type: 'notebook',
      is_private: true,
      enable_gpu: accelerator !== 'none',
      enable_tpu: false,
      enable_internet: false,
      ...(accelerator === 'none' ? {} : { machine_shape: accelerator }),
      dataset_sources: [...new Set([...config.datasets, ...own])],
      competition_sources: [config.competition],
      kernel_sources: [],
      model_sources: [...config.models],
      keywords: [],
    },
    'kernel-metadata.json',
  );
}

/** The metadata of the data set that holds one's own weights; undefined when none is configured. */
export function datasetMetadata({ owner, dataset }: KaggleConfig): Record<string, unknown> | undefined {
  if (!dataset) return undefined;
  const { slug, title, license } = dataset;
  return checkDatasetMetadata(
    { title, id: `${owner}/${slug}`, licenses: [{ name: license }] },
    'dataset-metadata.json',
  );
}
