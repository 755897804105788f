/** The reference page of all options, made from their tables. */
import { flows, libraryFlows } from './index.js';
import {
  type AnyOptions,
  expectationOf,
  flagName,
  flagOf,
  type Leaf,
  leavesOf,
  type OptionSpec,
} from './table.js';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function defaultOf({ required, default: value }: OptionSpec): string {
  if (required) return 'required';
  if (value === undefined) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function row(leaf: Leaf, isCommand: boolean): string {
  const { name, spec } = leaf;
  const flag = !isCommand ? '' : spec.argument ? 'an argument' : `\`--${flagName(flagOf(leaf))}\``;
  return `| \`${name}\` | ${flag} | ${cell(expectationOf(spec))} | ${defaultOf(spec)} | ${cell(spec.description)} |`;
}

/** Markdown with a table for each flow. */
export function optionPage(): string {
  const sections = Object.entries<AnyOptions>({ ...flows, ...libraryFlows }).map(([name, { table }]) => {
    const rows = leavesOf(table).map((leaf) => row(leaf, Object.hasOwn(flows, name)));
    return [
      `## ${name}`,
      '',
      '| option | flag | values | default | |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return `# Options

Made from the tables in \`src/options/\` by \`npm run docs\`. A notebook writes options as the first column does
(\`lora.r\` is a part: \`lora: { r: 16 }\`), the command line as the second; a Kaggle configuration takes those of
submit that say what the experiment is. A name that is not known is refused with the nearest one that is.
Flows without flags are functions of the library alone.

${sections.join('\n\n')}
`;
}
