import { parseDuration } from '../common/duration.js';
import { UserError } from '../common/errors.js';
import { readJson } from '../common/files.js';
import { spellOptions } from '../common/option-names.js';
import { compileSchema } from '../common/schema.js';
import { experimentOptions } from '../options/submit.js';
import { parseGridEncoder } from '../prompts/grid-encoder.js';
import { promptKindFor } from '../session/prompts.js';
import { submitConfig } from '../submit/options.js';
import { reasonAgainst } from './config-checks.js';
import { KaggleError } from './errors.js';
import { contests, DEFAULT_CONTEST } from './machines.js';
import { type KaggleConfig, LEAVABLE } from './types.js';

/** The configuration of a notebook without a configuration file. */
export const configDefaults: KaggleConfig = {
  owner: 'your-kaggle-name',
  slug: 'arclab-submission',
  title: 'arclab submission',
  ...contestDefaults(DEFAULT_CONTEST),
  models: [],
  datasets: [],
  draftTimeBudget: '30m',
  // what `arclab submit --plan T4x2 L4x4` predicts to fit for a model of 0.5B; not measured on these machines
  submit: { recipe: 'search' },
  leaveOut: [],
};

/** What a contest settles of a configuration. */
function contestDefaults(name: string): Pick<KaggleConfig, 'competition' | 'accelerator' | 'timeBudget'> {
  const { competition, accelerator, timeBudget } = contests[name]!;
  return { competition, accelerator, timeBudget };
}

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

/** Data sets of one's own: Kaggle's client creates no shorter ones. */
const ownDatasetSlug = { ...slugSchema, minLength: 6 } as const;

/** What a file says: a configuration without its defaults, and the contest whose defaults are taken. */
type GivenConfig = Partial<KaggleConfig> & { contest?: string };

const checkConfig = compileSchema<GivenConfig>(
  {
    type: 'object',
    additionalProperties: false,
    properties: {
      owner: ownerSchema,
      slug: slugSchema,
      title: { type: 'string', minLength: 5, maxLength: 50 },
      competition: slugSchema,
      contest: { enum: Object.keys(contests) },
      accelerator: { type: 'string' },
      models: { type: 'array', items: modelSourceSchema },
      datasets: { type: 'array', items: datasetSourceSchema },
      dataset: {
        type: 'object',
        additionalProperties: false,
        required: ['slug', 'title', 'license'],
        properties: {
          slug: ownDatasetSlug,
          title: { type: 'string', minLength: 6, maxLength: 50 },
          license: { enum: licenses },
        },
      },
      model: { type: 'string' },
      nodeDataset: datasetSourceSchema,
      dockerImage: { type: 'string', pattern: '^(original|latest|[^\\s/]+/\\S+)$' },
      metadata: { type: 'object' },
      backend: { enum: ['torch', 'wasm'] },
      timeBudget: { type: 'string' },
      draftTimeBudget: { type: 'string' },
      submit: { type: 'object' },
      leaveOut: { type: 'array', items: { enum: LEAVABLE } },
    },
  },
  'the configuration of a Kaggle notebook',
);

/** The address that Kaggle makes of a title of ASCII characters: it drops the comma in 1,000, as its client does. */
export function slugOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/(?<=\d),(?=\d)/g, '')
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
  const found = { modelPath: 'model', challengesPath: 'challenges', outputDir: 'output', backend };
  const { promptVersion, gridEncoder } = submitConfig({ ...experimentOptions.given(submit), ...found });
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
  const { contest, slug, title } = given;
  const foreign = [...new Set(title?.match(/[^\x20-\x7e]/gu))];
  if (foreign.length > 0) {
    throw new KaggleError(
      `${source}: at /title: Kaggle makes other characters of ${foreign.join(' ')} in the address: expected ASCII, found "${title}"`,
    );
  }
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
    if (!(error instanceof UserError)) throw error;
    const spell = (name: string, value?: string) =>
      value === undefined ? `submit.${name}` : `submit.${name}: ${value}`;
    const message = spellOptions(error.message, spell);
    throw new KaggleError(`${source}: ${message.startsWith('submit.') ? '' : 'submit: '}${message}`);
  }
  const { contest: _, ...own } = given;
  const config: KaggleConfig = {
    ...configDefaults,
    ...(contest === undefined ? {} : contestDefaults(contest)),
    ...own,
    ...(backend ? { backend } : {}),
    // a title may give an address that is too short, and a slug a title
    ...(checkConfig(named, source) as typeof named),
  };
  const reason = reasonAgainst(config);
  if (reason !== undefined) throw new KaggleError(`${source}: ${reason}`);
  return config;
}
