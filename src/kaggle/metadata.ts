/** The two files that Kaggle's own command line reads beside a notebook, as it wants them. */
import { compileSchema } from '../common/schema.js';
import { datasetSourceSchema, licenses, modelSourceSchema, slugSchema } from './config.js';
import type { KaggleConfig } from './types.js';

const strings = { type: 'array', items: { type: 'string' } } as const;

/** Kaggle's own template of the file writes truth values as texts. */
const flag = { enum: [true, false, 'true', 'false'] } as const;

const kernelSchema = {
  type: 'object',
  required: ['id', 'title', 'code_file', 'language', 'kernel_type', 'is_private', 'enable_internet'],
  properties: {
    id: datasetSourceSchema,
    id_no: { type: 'integer' },
    title: { type: 'string', minLength: 5 },
    code_file: { type: 'string', pattern: '\\.ipynb$' },
    language: { const: 'python' },
    kernel_type: { const: 'notebook' },
    is_private: flag,
    enable_gpu: flag,
    enable_tpu: flag,
    // a submission is rerun without a network, and Kaggle's own default is true
    enable_internet: { enum: [false, 'false'] },
    machine_shape: { type: 'string', minLength: 1 },
    dataset_sources: { type: 'array', items: datasetSourceSchema },
    competition_sources: { type: 'array', items: slugSchema },
    kernel_sources: strings,
    model_sources: { type: 'array', items: modelSourceSchema },
    keywords: strings,
    docker_image: { type: 'string' },
    docker_image_pinning_type: { enum: ['original', 'latest'] },
  },
} as const;

/** `kernel-metadata.json`. Fields that are not known here are Kaggle's to judge. */
export const checkKernelMetadata = compileSchema<Record<string, unknown>>(
  kernelSchema,
  "Kaggle's kernel-metadata.json",
);

/** Fields of a `kernel-metadata.json` that are not known here. */
export const unknownFields = (metadata: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(metadata).filter((name) => !Object.hasOwn(kernelSchema.properties, name));

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
  const { owner, slug, title, accelerator, dataset, nodeDataset, metadata = {} } = config;
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
      dataset_sources: [...new Set([...config.datasets, ...own, ...(nodeDataset ? [nodeDataset] : [])])],
      competition_sources: [config.competition],
      kernel_sources: [],
      model_sources: [...config.models],
      keywords: [],
      ...dockerFields(config.dockerImage),
      ...metadata,
    },
    'kernel-metadata.json',
  );
}

/** An image that is named is the one to keep. */
function dockerFields(image: string | undefined): Record<string, string> {
  if (image === undefined) return {};
  if (image === 'original' || image === 'latest') return { docker_image_pinning_type: image };
  return { docker_image: image, docker_image_pinning_type: 'original' };
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
