import { parseDuration } from '../common/duration.js';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import { promptKindFor } from '../experiments/model-session.js';
import { submitConfig } from '../experiments/submit-options.js';
import { experimentProperties } from '../experiments/submit-schema.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { KaggleError } from './errors.js';

/** What a bundle can do without, and what then has to be there on Kaggle. */
export const LEAVABLE = ['torch', 'wasm', 'comments'] as const;

/** What is to be built: `submission.json`. Everything has a default. */
export interface KaggleConfig {
  /** The account on Kaggle. */
  owner: string;
  /** The notebook's name in its address. */
  slug: string;
  /** The notebook's name as people read it; must give the slug. */
  title: string;
  /** The competition whose data is attached, and that is submitted to. */
  competition: string;
  /** Kaggle's name of the machine (`machine_shape`), or `none`. */
  accelerator: string;
  /** Weights to attach: `owner/model/framework/variation/version`. */
  models: readonly string[];
  /** Data sets to attach: `owner/slug`. */
  datasets: readonly string[];
  /** A data set to be made of files of one's own (weights, an adapter): its metadata is written too. */
  dataset?: { slug: string; title: string; license: string };
  /** `torch`, `wasm`; absent: the best one present. */
  backend?: string;
  /** How long the submission may take: `11.5h`. */
  timeBudget: string;
  /** How long it may take before it is submitted, when the challenges are placeholders. */
  draftTimeBudget: string;
  /** Options of the submission, as `submit` takes them. */
  submit: Readonly<Record<string, unknown>>;
  /** What to leave out when the notebook is too large. */
  leaveOut: readonly (typeof LEAVABLE)[number][];
}

/** The configuration of a notebook that nobody has configured. */
export const configDefaults: KaggleConfig = {
  owner: 'your-kaggle-name',
  slug: 'arclab-submission',
  title: 'arclab submission',
  competition: 'arc-prize-2025',
  accelerator: 'NvidiaTeslaT4',
  models: [],
  datasets: [],
  timeBudget: '11.5h',
  draftTimeBudget: '30m',
  submit: {},
  leaveOut: [],
};

/** JSON Schema of a name in an address. */
export const slugSchema = {
  type: 'string',
  pattern: '^[a-z0-9]+(-[a-z0-9]+)*$',
  minLength: 3,
  maxLength: 50,
} as const;
const ownerSchema = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9-]*$' } as const;
export const datasetSourceSchema = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9-]*/[a-z0-9]+(-[a-z0-9]+)*$',
} as const;
export const modelSourceSchema = { type: 'string', pattern: '^[^/ ]+/[^/ ]+/[^/ ]+/[^/ ]+/[0-9]+$' } as const;
/** The licences that Kaggle knows by a short name; all of them can be chosen on its page. */
export const licenses = ['CC0-1.0', 'CC-BY-4.0', 'CC-BY-SA-4.0', 'Apache 2.0', 'MIT', 'other'] as const;

const checkConfig = compileSchema<Partial<KaggleConfig>>(
  {
    type: 'object',
    additionalProperties: false,
    properties: {
      owner: ownerSchema,
      slug: slugSchema,
      title: { type: 'string', minLength: 5, maxLength: 50 },
      competition: slugSchema,
      accelerator: { type: 'string', pattern: '^[A-Za-z0-9]+$' },
      models: { type: 'array', items: modelSourceSchema },
      datasets: { type: 'array', items: datasetSourceSchema },
      dataset: {
        type: 'object',
        additionalProperties: false,
        required: ['slug', 'title', 'license'],
        properties: {
          slug: slugSchema,
          title: { type: 'string', minLength: 6, maxLength: 50 },
          license: { enum: licenses },
        },
      },
      backend: { enum: ['torch', 'wasm'] },
      timeBudget: { type: 'string' },
      draftTimeBudget: { type: 'string' },
      submit: { type: 'object', additionalProperties: false, properties: experimentProperties },
      leaveOut: { type: 'array', items: { enum: LEAVABLE } },
    },
  },
  'the configuration of a Kaggle notebook',
);

/** The address that Kaggle makes of a title. */
export function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** What is left to compute with: nothing to choose where nothing is left out. */
function backendOf(leaveOut: KaggleConfig['leaveOut']): string | undefined {
  if (leaveOut.includes('torch')) return 'wasm';
  return leaveOut.includes('wasm') ? 'torch' : undefined;
}

/** Says now what otherwise only the run on Kaggle would say. There is a PyTorch there, whatever is here. */
function checkExperiment(submit: object, backend = 'torch'): void {
  const found = { modelPath: '', challengesPath: '', outputDir: '', backend };
  const { promptVersion, gridEncoder } = submitConfig({ ...submit, ...found });
  promptKindFor(promptVersion, ['output-from-examples'], 'submit');
  parseGridEncoder(gridEncoder);
}

/**
 * Reads a configuration, or takes the defaults; a slug without a title gives one, and the other way round.
 * @throws {UserError} when it is wrong, or title and slug do not belong together
 */
export function loadConfig(path?: string): KaggleConfig {
  const given = path === undefined ? {} : checkConfig(readJson(path, 'a configuration'), path);
  const source = path ?? 'configuration';
  const { slug, title } = given;
  if (slug !== undefined && title !== undefined && slugOf(title) !== slug) {
    throw new KaggleError(
      `${source}: the title "${title}" gives the address ${slugOf(title)}, not ${slug}: Kaggle wants them to agree`,
    );
  }
  const named =
    title !== undefined
      ? { title, slug: slugOf(title) }
      : slug !== undefined
        ? { slug, title: slug.replaceAll('-', ' ') }
        : {};
  for (const name of ['timeBudget', 'draftTimeBudget'] as const) {
    if (given[name] !== undefined) parseDuration(given[name], `${source}: at /${name}`);
  }
  const { leaveOut = [], backend = backendOf(leaveOut) } = given;
  if (leaveOut.some((name) => name === backend)) {
    throw new KaggleError(`${source}: the backend ${backend} is to be used and to be left out`);
  }
  try {
    checkExperiment(given.submit ?? {}, backend);
  } catch (error) {
    throw error instanceof UserError ? new KaggleError(`${source}: at /submit: ${error.message}`) : error;
  }
  // a title may give an address that is too short, and a slug a title
  return {
    ...configDefaults,
    ...given,
    ...(backend ? { backend } : {}),
    ...(checkConfig(named, source) as typeof named),
  };
}
