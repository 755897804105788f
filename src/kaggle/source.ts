/**
 * The readable half of the bundle: arclab's own modules from `arc/` up to `submit/`, of which esbuild keeps
 * what the notebook needs, as one ES module that is not minified. What lies below them (`common/`, `options/`, `tensors/`, `generation/`),
 * pictures (`display/`) and packages are imported from the packed half: `#common/rng`, `#tensors/tf`, `#vendor/acorn`.
 *
 * esbuild drops comments other than legal ones. So comments on lines of their own become legal ones for the time
 * of bundling; as many as there is room for stay.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { KaggleError } from './errors.js';

/** The file whose exports the cells can import. */
export const ENTRY = 'templates/kaggle/api.ts';

/** Hexadecimal SHA-256. */
export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** A stretch of the bundle that comes from one file. */
export interface Section {
  /** `src/arc/grid.ts`; empty for what stands before the first file and after the last. */
  readonly path: string;
  readonly text: string;
}

/** The readable half before its comments are thinned out, and what it needs of the packed half. */
export interface SourceBundle {
  readonly sections: readonly Section[];
  /** Files of the packed folders that it imports: `tensors/tf`. */
  readonly packed: readonly string[];
  /** Packages that it imports. */
  readonly packages: readonly string[];
  /** Every file that went into it. */
  readonly inputs: readonly string[];
}

/** Folders that are packed: the machinery below the experiment, the tables of its options, and its pictures. */
const PACKED_FOLDERS = [
  'common',
  'options',
  'tensors',
  'models',
  'generation',
  'display',
  'progress',
] as const;

/** Files of other folders that are machinery, too: what turns text into tokens, the optimizer and the scale of the loss. None imports what can be read. */
const PACKED_FILES = [
  'prompts/answer-spans',
  'prompts/byte-level',
  'prompts/chat-template',
  'prompts/errors',
  'prompts/grammar',
  'prompts/prompt-frame',
  'prompts/prompt-tasks',
  'prompts/sentencepiece',
  'prompts/stop-tokens',
  'prompts/strict-template',
  'prompts/template-kind',
  'prompts/text-encoder',
  'prompts/text-network',
  'prompts/tokenizer',
  'prompts/turn-markers',
  'training/muon',
  'training/loss-scale',
  'training/crc32c',
  'training/loss',
  'training/metrics-log',
  'training/optimizer',
  'training/packing',
  'training/protobuf',
  'training/tally',
  'training/tensorboard',
] as const;

/** Folders of the packed half, and of the names by which the readable one finds it. */
export const PACKED_PLACES: readonly string[] = [
  ...new Set([...PACKED_FOLDERS, ...PACKED_FILES.map((file) => file.split('/')[0]!)]),
];

const PACKED = new RegExp(`^src/((?:${PACKED_FOLDERS.join('|')})/.+|${PACKED_FILES.join('|')})\\.ts$`);

/** Modules that make no sense on Kaggle or have no room there, and what takes their place. */
const STAND_INS: Readonly<Record<string, string>> = {
  'src/models/hub.ts': 'templates/kaggle/hub.ts',
  'src/session/choices.ts': 'templates/kaggle/choices.ts',
  'src/training/candidates.ts': 'templates/kaggle/candidates.ts',
  'src/training/audit-run.ts': 'templates/kaggle/audit-run.ts',
  'src/training/room.ts': 'templates/kaggle/room.ts',
  'src/records/flows.ts': 'templates/kaggle/records.ts',
};

/** A declaration that stays in JavaScript, with its name. */
const DECLARATION =
  /^(?:export )?(?:default )?(?:async )?(?:abstract )?(?:function\*?|class|const|let|var|enum) (\w+)/;

/** Templates of prompt kinds that a submission refuses: they ask for no output, or show what a challenge has not. */
const UNUSED_TEMPLATES = /\/(code-from-examples|output-from-code|verify-output|select-output)-[\w-]+\.njk$/;

/**
 * Marks comments so that esbuild keeps them. A comment before a declaration carries its name, because the
 * declaration may not be in the bundle; one before a type is not marked; a module's own is.
 */
function markComments(text: string): string {
  return text
    .replace(/^\/\*\*?((?:[^*]|\*(?!\/))*\*\/\n)(?=(.*))/gm, (all, body: string, next: string) => {
      const name = DECLARATION.exec(next)?.[1];
      if (name !== undefined) return `/*!@${name}@*${body}`;
      return /^(import .*)?$/.test(next) ? `/*!@@*${body}` : all;
    })
    .replace(/^([ \t]+)\/\*\*/gm, '$1/*!*')
    .replace(/^([ \t]*)\/\/ (?!biome-ignore)/gm, '$1//! ');
}

/** A text file as a module that can still be read: a template literal instead of a string with \n. */
function textModule(text: string): string {
  return `export default \`${text.replace(/[\\`]|\$\{/g, '\\$&')}\`;`;
}

/** @param read gives the text of a TypeScript file, with its comments marked or as it is */
function sourcePlugin(
  root: string,
  packed: Set<string>,
  packages: Set<string>,
  read: (text: string) => string,
): Plugin {
  return {
    name: 'readable-source',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
        if (kind === 'entry-point') return undefined;
        if (path.startsWith('node:')) return { path, external: true, sideEffects: false };
        packages.add(path);
        return { path: `#vendor/${path}`, external: true, sideEffects: false };
      });
      build.onResolve({ filter: /^\..*\.js$/ }, ({ path, resolveDir }) => {
        const file = relative(root, join(resolveDir, path)).replace(/\.js$/, '.ts');
        if (Object.hasOwn(STAND_INS, file)) return { path: join(root, STAND_INS[file]!) };
        const module = PACKED.exec(file)?.[1];
        if (module === undefined) return undefined;
        packed.add(module);
        return { path: `#${module}`, external: true, sideEffects: false };
      });
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
        loader: 'ts',
        contents: read(readFileSync(path, 'utf8')),
      }));
      build.onLoad({ filter: /\.njk$/ }, ({ path }) => ({
        loader: 'js',
        contents: textModule(UNUSED_TEMPLATES.test(path) ? '' : readFileSync(path, 'utf8')),
      }));
    },
  };
}

/** Settings of every bundle of the readable half. */
const READABLE = {
  bundle: true,
  write: false,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  charset: 'ascii',
  logLevel: 'silent',
} as const;

/** Bundles what `entry` (a file of the repository) exports. */
export async function bundleSource(root: string, entry: string): Promise<SourceBundle> {
  const { build } = await import('esbuild');
  const packed = new Set<string>();
  const packages = new Set<string>();
  const { outputFiles, metafile } = await build({
    ...READABLE,
    absWorkingDir: root,
    entryPoints: [entry],
    metafile: true,
    legalComments: 'inline',
    plugins: [sourcePlugin(root, packed, packages, markComments)],
  });
  const { imports, inputs } = Object.values(metafile.outputs)[0]!;
  const used = new Set(imports.map(({ path }) => path));
  return {
    sections: splitSections(outputFiles[0]!.text),
    packed: [...packed].filter((name) => used.has(`#${name}`)).sort(),
    packages: [...packages].filter((name) => used.has(`#vendor/${name}`)).sort(),
    inputs: Object.keys(inputs)
      .filter((path) => inputs[path]!.bytesInOutput > 0)
      .sort(),
  };
}

/**
 * Makes sure that texts of the source are the code of the repository: marks are put before comments and taken away
 * by patterns, and a text in quotes may look like a comment.
 * @throws {KaggleError} when one is not what esbuild makes of the same files by itself
 */
export async function assertSameCode(root: string, entry: string, texts: readonly string[]): Promise<void> {
  const { build, transform } = await import('esbuild');
  const { outputFiles } = await build({
    ...READABLE,
    absWorkingDir: root,
    entryPoints: [entry],
    legalComments: 'none',
    plugins: [sourcePlugin(root, new Set(), new Set(), (text) => text)],
  });
  const minified = async (text: string) =>
    (await transform(text, { minify: true, legalComments: 'none', charset: 'ascii' })).code;
  const [expected, ...found] = await Promise.all([outputFiles[0]!.text, ...texts].map(minified));
  const wrong = found.find((code) => code !== expected);
  if (wrong === undefined) return;
  const at = [...wrong].findIndex((character, i) => character !== expected![i]);
  throw new KaggleError(
    `the readable source is not the code of the repository at ${JSON.stringify(wrong.slice(at - 40, at + 40))}: ` +
      'a text that looks like a comment has to be written in another way',
  );
}

const HEADING = /^\/\/ ((?:src|templates)\/\S+)$/;

/** Cuts a bundle at the headings that esbuild writes before each file. */
export function splitSections(text: string): Section[] {
  const sections: { path: string; lines: string[] }[] = [{ path: '', lines: [] }];
  for (const line of text.split('\n')) {
    const path = HEADING.exec(line)?.[1];
    if (path !== undefined) sections.push({ path, lines: [] });
    else if (/^(export \{|\/\/ end of )/.test(line)) sections.push({ path: '', lines: [line] });
    else sections.at(-1)!.lines.push(line);
  }
  return sections
    .map(({ path, lines }) => ({ path, text: lines.join('\n').trim() }))
    .filter(({ text }) => text !== '');
}

/** A marked comment that fills its lines. */
const COMMENT = /^[ \t]*(?:\/\*!(?:[^*]|\*(?!\/))*\*\/|\/\/!.*)\n/gm;
/** A comment before a declaration, and the line behind it. */
const NAMED = /^\/\*!@(\w+)@(?:[^*]|\*(?!\/))*\*\/\n(?=(.*))/gm;

/** The text of a section with or without its comments, without those of what is not in the bundle. */
export function sectionText({ text }: Section, comments: boolean): string {
  if (!comments) return `${text}\n`.replace(COMMENT, '').trim();
  return `${text}\n`
    .replace(NAMED, (all, name: string, next: string) =>
      // esbuild adds a number to a name that two modules use
      new RegExp(`^(?:async )?(?:function\\*?|var|class) ${name}\\d*\\b`).test(next) ? all : '',
    )
    .replace(/^([ \t]*)\/\*!(?:@\w*@)?/gm, '$1/*')
    .replace(/^([ \t]*)\/\/!/gm, '$1//')
    .trim();
}

/** How the last line begins: a source that was cut off lacks it. */
export const END_OF_SOURCE = '// end of arclab.mjs';

/** Puts sections together. @param commented the folders (`arc`, `models`) whose comments stay */
export function sourceText(sections: readonly Section[], commented: ReadonlySet<string>): string {
  const parts = sections.map((section) => {
    const text = sectionText(section, commented.has(folderOf(section.path)));
    return section.path === '' ? text : `// ${section.path}\n${text}`;
  });
  const body = `${parts.join('\n\n')}\n\n`;
  const folders = [...commented].filter((folder) => folder !== '').sort();
  return `${body}${END_OF_SOURCE}, sha256 ${sha256(body)}, with comments of: ${folders.join(' ')}\n`;
}

/** What the last line of a source says of it; undefined where it was cut off. */
export function readSourceEnd(source: string): { edited: boolean; commented: Set<string> } | undefined {
  const at = source.lastIndexOf(`\n${END_OF_SOURCE}`) + 1;
  const [, hash, folders] = /, sha256 (\w+), with comments of: ?(.*)\n$/.exec(source.slice(at)) ?? [];
  if (hash === undefined) return undefined;
  return {
    edited: sha256(source.slice(0, at)) !== hash,
    commented: new Set(folders!.split(' ').filter(Boolean)),
  };
}

/** The folder below `src/` that a file lies in. */
export function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}
