/**
 * Building a notebook, top to bottom: bundle the source, pack what it stands on, fill in the templates, keep as many
 * comments as there is room for, check, write.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertWritableFolder, packageRoot, writeFileAtomic } from '../common/files.js';
import { base92, compress } from './archive.js';
import { KaggleError } from './errors.js';
import { datasetMetadata, kernelMetadata } from './metadata.js';
import { asciiJson, type KaggleNotebook, kaggleBytes, notebookFile, pythonJson } from './notebook.js';
import { packFiles } from './packed.js';
import { type Provenance, provenance } from './provenance.js';
import { type BundleFacts, renderCells } from './render.js';
import { MOST_BYTES } from './size.js';
import {
  assertSameCode,
  bundleSource,
  END_OF_SOURCE,
  ENTRY,
  folderOf,
  type Section,
  sha256,
  sourceText,
} from './source.js';
import { type KaggleConfig, LEAVABLE } from './types.js';

/** Folders in the order in which their comments go when the notebook is full: last what an experiment is about. */
const COMMENTS_GO = [
  'training',
  'evaluation',
  'prompts',
  'arc',
  'kaggle',
  'submit',
  'session',
  'experiments',
];

/** What a notebook was made of; packed into it, so that it can be compared with a later source. */
export interface Manifest extends Provenance {
  readonly config: KaggleConfig;
  /** {@link shortHash} of every file of the repository that went into the bundle. */
  readonly files: Readonly<Record<string, string>>;
}

/** The name of the manifest among the packed files. */
export const MANIFEST = 'manifest.json';

/** A built notebook and how large its parts are. */
export interface BuiltNotebook {
  readonly notebook: KaggleNotebook;
  readonly manifest: Manifest;
  readonly source: string;
  readonly bundle: string;
  /** Bytes as Kaggle counts them. */
  readonly bytes: number;
  /** Folders whose comments were left out. */
  readonly withoutComments: readonly string[];
  readonly parts: readonly { readonly name: string; readonly bytes: number }[];
}

/** Enough of a hash to tell versions of a file apart; every digit costs the notebook a byte. */
export const shortHash = (data: Uint8Array): string => sha256(data).slice(0, 8);

/** The readable source as it is now, and the folders in it. */
export async function currentSource(root = packageRoot()) {
  const bundle = await bundleSource(root, ENTRY);
  const folders = new Set(bundle.sections.map(({ path }) => folderOf(path)));
  return { ...bundle, folders };
}

/** Builds a notebook of the current source. @throws {KaggleError} when it is larger than Kaggle takes */
export async function buildNotebook(config: KaggleConfig, root = packageRoot()): Promise<BuiltNotebook> {
  const bundle = await currentSource(root);
  const texts = [bundle.folders, new Set<string>()].map((commented) =>
    sourceText(bundle.sections, commented),
  );
  const [packed] = await Promise.all([packFiles(root, bundle, config), assertSameCode(root, ENTRY, texts)]);
  const made = provenance(root);
  const files = Object.fromEntries(
    [...new Set([...bundle.inputs, ...packed.inputs])]
      .sort()
      .map((path) => [path, shortHash(readFileSync(join(root, path)))]),
  );
  const natives = [...packed.files.keys()].filter((name) => /\.(node|wasm)$/.test(name));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

  const manifest: Manifest = { ...made, config, files };
  const text = base92(
    await compress(new Map([...packed.files, [MANIFEST, Buffer.from(JSON.stringify(manifest))]])),
  );
  const make = (commented: ReadonlySet<string>): BuiltNotebook => {
    const source = sourceText(bundle.sections, commented);
    const facts: BundleFacts = {
      bundle: sha256(source + text).slice(0, 12),
      commit: made.commit,
      packed: sha256(text),
      packedLength: text.length,
      endOfSource: END_OF_SOURCE,
    };
    const about = {
      ...made,
      version,
      packages: packed.packages,
      packedFolders: ['src/common', 'src/tensors', 'src/display'],
      natives,
    };
    const cells = renderCells(config, facts, about, source, text);
    const notebook = notebookFile(cells, {
      accelerator: config.accelerator,
      dataSources: [],
      isGpuEnabled: config.accelerator !== 'none',
      isInternetEnabled: false,
      language: 'python',
      sourceType: 'notebook',
    });
    const parts = cells.map(({ id, source }) => ({ name: id, bytes: pythonJson(source).length }));
    return {
      notebook,
      manifest,
      source,
      bundle: facts.bundle,
      bytes: kaggleBytes(notebook),
      withoutComments: [...bundle.folders].filter((folder) => folder !== '' && !commented.has(folder)),
      parts,
    };
  };
  const commented = config.leaveOut.includes('comments') ? new Set<string>() : bundle.folders;
  const built = make(commented);
  if (built.bytes <= MOST_BYTES) return built;
  const kept = roomForComments(bundle.sections, commented, built.bytes - MOST_BYTES);
  const thinned = kept.size < commented.size ? make(kept) : built;
  if (thinned.bytes > MOST_BYTES) throw tooLarge(thinned, config);
  return thinned;
}

/** Drops the comments of one folder after the other until so many bytes are saved. */
function roomForComments(
  sections: readonly Section[],
  commented: ReadonlySet<string>,
  excess: number,
): Set<string> {
  const kept = new Set(commented);
  const size = () => pythonJson(sourceText(sections, kept)).length;
  const allowed = size() - excess;
  for (const folder of COMMENTS_GO) {
    if (size() <= allowed) break;
    kept.delete(folder);
  }
  return kept;
}

function tooLarge({ bytes, parts }: BuiltNotebook, config: KaggleConfig): KaggleError {
  const left = LEAVABLE.filter((name) => name !== 'comments' && !config.leaveOut.includes(name));
  const advice =
    left.length > 0
      ? `set "leaveOut": [${left.map((name) => `"${name}"`).join(' or ')}] in the configuration`
      : `export less in ${ENTRY}`;
  return new KaggleError(
    `the notebook has ${bytes} bytes as Kaggle counts them, ${bytes - MOST_BYTES} more than the ${MOST_BYTES} ` +
      `that are safe (${describeParts(parts)}), even without comments; ${advice}`,
  );
}

/** The report of a build: each part's size, the sum, and what was left out. */
export function describeBuild({ bytes, parts, bundle, manifest, withoutComments }: BuiltNotebook): string {
  const width = Math.max(...parts.map(({ name }) => name.length), 'bytes for Kaggle'.length);
  const row = (name: string, count: number) =>
    `${name.padEnd(width)} ${count.toLocaleString('en-US').padStart(9)}`;
  return [
    ...parts.map(({ name, bytes }) => row(name, bytes)),
    `${row('bytes for Kaggle', bytes)} of ${MOST_BYTES.toLocaleString('en-US')}`,
    ...(withoutComments.length > 0 ? [`without the comments of ${withoutComments.join(', ')}`] : []),
    `bundle ${bundle}, commit ${manifest.commit.slice(0, 12)}${manifest.dirty ? ' with changes' : ''}`,
  ].join('\n');
}

/** `source 267,373, packed 469,875`, largest first. */
function describeParts(parts: BuiltNotebook['parts']): string {
  return [...parts]
    .sort((a, b) => b.bytes - a.bytes)
    .map(({ name, bytes }) => `${name} ${bytes.toLocaleString('en-US')}`)
    .join(', ');
}

/** Writes notebook and metadata into a folder. @returns the files */
export function writeNotebook(built: BuiltNotebook, config: KaggleConfig, folder: string): string[] {
  const dataset = datasetMetadata(config);
  const files: [string, unknown][] = [
    [`${config.slug}.ipynb`, built.notebook],
    ['kernel-metadata.json', kernelMetadata(config)],
    ...(dataset ? [['dataset-metadata.json', dataset] as [string, unknown]] : []),
  ];
  assertWritableFolder(folder, '-o');
  return files.map(([name, value]) => {
    const path = join(folder, name);
    writeFileAtomic(path, `${asciiJson(value, name.endsWith('.ipynb') ? 1 : 2)}\n`);
    return path;
  });
}
