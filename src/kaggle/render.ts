/** Fills in the templates of `templates/kaggle/`. */
import nunjucks from 'nunjucks';
import about from '../../templates/kaggle/about.md.njk';
import bootstrap from '../../templates/kaggle/bootstrap.py.njk';
import check from '../../templates/kaggle/check.py.njk';
import details from '../../templates/kaggle/details.md.njk';
import experiment from '../../templates/kaggle/experiment.ts.njk';
import fallback from '../../templates/kaggle/fallback.py.njk';
import session from '../../templates/kaggle/session.py.njk';
import { readText } from '../common/files.js';
import { isTemplateFile } from '../prompts/template-kind.js';
import type { TemplateCell } from './notebook.js';
import type { END_OF_SOURCE } from './source.js';
import type { KaggleConfig } from './types.js';

const environment = new nunjucks.Environment(null, {
  autoescape: false,
  throwOnUndefined: true,
  trimBlocks: true,
  lstripBlocks: true,
});

/** A JSON value as a Python literal: indented, with Python's names of the constants. */
function pythonLiteral(value: unknown, indent = ''): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  const deeper = `${indent}    `;
  if (Array.isArray(value)) return `[${value.map((item) => pythonLiteral(item, indent)).join(', ')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value).map(
      ([key, item]) => `${deeper}${JSON.stringify(key)}: ${pythonLiteral(item, deeper)},\n`,
    );
    return entries.length === 0 ? '{}' : `{\n${entries.join('')}${indent}}`;
  }
  return JSON.stringify(value);
}

/** What the notebook says and checks of itself. */
export interface BundleFacts {
  /** Names source and packed files together: twelve hexadecimal digits. */
  readonly bundle: string;
  readonly commit: string;
  /** SHA-256 of the base92 text. */
  readonly packed: string;
  readonly packedLength: number;
  /** How the last line of the source begins. */
  readonly endOfSource: typeof END_OF_SOURCE;
}

/** What is told about a notebook but not checked. */
export interface AboutFacts {
  readonly version: string;
  readonly date: string;
  readonly dirty: boolean;
  readonly packages: readonly string[];
  readonly packedFolders: readonly string[];
  readonly natives: readonly string[];
}

/** The file that marks the data of an ARC competition. */
export const CHALLENGES_FILE = 'arc-agi_test_challenges.json';

/** The characters of a line of base92; every line break costs two bytes. */
const LINE = 2000;

/** The text of the prompt template that is a file of this machine, as a string of TypeScript; empty for a kind by name. */
function promptTemplate({ promptVersion }: KaggleConfig['submit']): string {
  if (typeof promptVersion !== 'string' || !isTemplateFile(promptVersion)) return '';
  return JSON.stringify(readText(promptVersion, 'a prompt template'));
}

/** All cells of a notebook, in order. */
export function renderCells(
  config: KaggleConfig,
  facts: BundleFacts,
  about_: AboutFacts,
  source: string,
  packed: string,
): TemplateCell[] {
  const render = (template: string, context: object) => environment.renderString(template, context);
  const lines = packed.match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  const template = promptTemplate(config.submit);
  // the path of a template is of this machine
  const { promptVersion, ...others } = config.submit;
  const options = JSON.stringify(template === '' ? config.submit : others, null, 2);
  const experiments = render(experiment, { ...config, options, template })
    .split(/^%%ts\n/m)
    .slice(1);
  const told = { ...config, ...facts, ...about_ };
  return [
    { id: 'about', type: 'markdown', source: render(about, told) },
    {
      id: 'fallback',
      type: 'code',
      source: render(fallback, {
        competition: pythonLiteral(config.competition),
        challenges: pythonLiteral(CHALLENGES_FILE),
      }),
      folded: true,
    },
    { id: 'source', type: 'code', source: `%%writefile arclab.mjs\n${source}`, folded: true },
    { id: 'packed', type: 'code', source: `%%writefile arclab.b92\n${lines.join('\n')}\n`, folded: true },
    { id: 'session', type: 'code', source: render(session, {}), folded: true },
    {
      id: 'bootstrap',
      type: 'code',
      folded: true,
      source: render(bootstrap, {
        backend: pythonLiteral(config.backend),
        // without the owner, whom older mounts do not name
        model: pythonLiteral(config.model?.split('/').slice(1).join('/')),
        manifest: pythonLiteral(facts),
      }),
    },
    { id: 'experiment', type: 'markdown', source: '## The experiment\n' },
    ...experiments.map((code, i) => ({
      id: `experiment-${i + 1}`,
      type: 'code' as const,
      source: `%%ts\n${code}`,
    })),
    { id: 'check', type: 'code', source: render(check, {}), folded: true },
    { id: 'details', type: 'markdown', source: render(details, told) },
  ];
}
