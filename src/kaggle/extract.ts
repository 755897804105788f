/** What is inside a built notebook, and how it compares with the current source. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf, UserError } from '../common/errors.js';
import { packageRoot, readJson } from '../common/files.js';
import { pathBelow, writablePathBelow } from '../common/foreign-path.js';
import { compileSchema } from '../common/schema.js';
import { decompress, fromBase92 } from './archive.js';
import { currentSource, MANIFEST, type Manifest, shortHash } from './build.js';
import { KaggleError } from './errors.js';
import { notebookCells, type TemplateCell } from './notebook.js';
import { END_OF_SOURCE, folderOf, readSourceEnd, sourceText, splitSections } from './source.js';

/** The two halves of a notebook's bundle. */
export interface Extracted {
  /** The readable source, as the notebook has it now. */
  readonly source: string;
  readonly manifest: Manifest;
  /** Folders whose comments are in the source. */
  readonly commented: ReadonlySet<string>;
  /** The source is not what was built: someone has changed the cell. */
  readonly edited: boolean;
  /** The source is what would be built now. */
  readonly current: boolean;
}

/** The text that a `%%writefile` cell writes. */
function written(cells: readonly TemplateCell[], name: string, path: string): string {
  const first = `%%writefile ${name}\n`;
  const cell = cells.find(({ source }) => source.startsWith(first));
  if (!cell)
    throw new KaggleError(
      `${path}: no cell that starts with "${first.trim()}": not made by arclab kaggle build`,
    );
  return `${cell.source.slice(first.length).trimEnd()}\n`;
}

const checkManifest = compileSchema<Manifest>(
  {
    type: 'object',
    required: ['config', 'commit', 'files'],
    properties: {
      config: { type: 'object' },
      commit: { type: 'string' },
      files: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
  'what a notebook says it was made of',
);

/** A notebook of somebody else may say anything. @throws {UserError} */
function readManifest(text: string, source: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new KaggleError(`${source}: not valid JSON: ${messageOf(error)}`);
  }
  return checkManifest(value, source);
}

/** Reads a notebook, also one that was edited on Kaggle. @throws {UserError} when it is damaged, or not ours */
export async function extractNotebook(path: string, root = packageRoot()): Promise<Extracted> {
  const cells = notebookCells(readJson(path, 'a notebook'), path);
  const source = written(cells, 'arclab.mjs', path);
  const end = readSourceEnd(source);
  if (!end)
    throw new KaggleError(
      `${path}: the cell with the source is cut off: its last line, "${END_OF_SOURCE}", is missing`,
    );
  const files = await decompress(fromBase92(written(cells, 'arclab.b92', path).replace(/\s/g, '')));
  const text = files.get(MANIFEST);
  if (!text) throw new KaggleError(`${path}: no ${MANIFEST} among the packed files`);
  const manifest = readManifest(Buffer.from(text).toString(), `${path}: ${MANIFEST}`);
  const now = await currentSource(root);
  return {
    source,
    manifest,
    ...end,
    current: source === sourceText(now.sections, end.commented),
  };
}

/** What has changed since a notebook was built. */
export interface Changes {
  /** Modules of the readable source that differ between the notebook and the current source. */
  readonly modules: readonly string[];
  /** Their lines, as `git diff` shows them. */
  readonly lines: string;
  /** Files that are packed, and whose content is not what it was. */
  readonly packed: readonly string[];
}

/** Compares a notebook (`-`) with the current source (`+`). */
export async function diffNotebook(
  path: string,
  { color = false, root = packageRoot() } = {},
): Promise<Changes> {
  const { source, manifest, commented } = await extractNotebook(path, root);
  const now = await currentSource(root);
  const old = modulesOf(source);
  const current = modulesOf(sourceText(now.sections, commented));
  const modules = [...new Set([...old.keys(), ...current.keys()])]
    .filter((name) => plainNames(old.get(name)) !== plainNames(current.get(name)))
    .sort();
  const packed = Object.keys(manifest.files).filter((file) => {
    if (old.has(file) || current.has(file)) return false;
    const full = pathBelow(root, file, `${path}: ${MANIFEST}`);
    return !existsSync(full) || shortHash(readFileSync(full)) !== manifest.files[file];
  });
  return {
    modules,
    lines: modules.length > 0 ? gitDiff(modules, old, current, { color, path }) : '',
    packed,
  };
}

/** Modules by path; esbuild may put one into several places. */
function modulesOf(source: string): Map<string, string> {
  const modules = new Map<string, string>();
  for (const { path, text } of splitSections(source)) {
    if (folderOf(path) === '' || path.startsWith('templates/kaggle/')) continue;
    modules.set(path, `${modules.get(path) ?? ''}${text}\n`);
  }
  return modules;
}

/** Without the numbers that esbuild gives to names that several modules use: another module changes them. */
function plainNames(text: string | undefined): string | undefined {
  return text?.replace(/\b([A-Za-z_$]*[A-Za-z_$])\d+\b/g, '$1');
}

function gitDiff(
  modules: readonly string[],
  old: ReadonlyMap<string, string>,
  current: ReadonlyMap<string, string>,
  { color, path }: { color: boolean; path: string },
): string {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-diff-'));
  try {
    for (const [side, texts] of [['notebook', old] as const, ['current', current] as const]) {
      mkdirSync(join(folder, side));
      for (const name of modules) {
        const text = texts.get(name);
        if (text === undefined) continue;
        const file = writablePathBelow(join(folder, side), name, `${path}: the source cell`);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
      }
    }
    const args = [
      'diff',
      '--no-index',
      '--no-prefix',
      '--stat',
      '-p',
      `--color=${color ? 'always' : 'never'}`,
    ];
    execFileSync('git', [...args, 'notebook', 'current'], { cwd: folder, encoding: 'utf8' });
    return '';
  } catch (error) {
    if (error instanceof UserError) throw error;
    // 1 says that there are differences
    const { status, stdout } = error as { status?: number; stdout?: string };
    if (status === 1) return stdout ?? '';
    throw new KaggleError('git is needed to compare, and does not run');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
