/** Who may import whom: the list of folders in ARCHITECTURE.md, from the bottom to the top. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { families } from '../../src/models/families/index.js';

const root = packageRoot();

/** All TypeScript sources below a folder, relative to the package. */
const sourcesOf = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('assembly'))
    .map((name) => join(folder, name));

/** The files that a source imports, types too. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const names = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)\.js'/g)].map(([, name]) => name!);
  return names.map((name) => `${relative(root, join(root, dirname(file), name))}.ts`);
}

const files = [...sourcesOf('src'), ...sourcesOf('kernel')];
const imports = new Map(files.map((file) => [file, importsOf(file)]));

test('kernel/ imports of src/ nothing but common/', () => {
  const wrong = files
    .filter((file) => file.startsWith('kernel/'))
    .flatMap((file) => imports.get(file)!.map((target) => `${file} -> ${target}`))
    .filter((arrow) => /-> src\/(?!common\/)/.test(arrow));
  expect(wrong).toEqual([]);
});

test('common/ imports nothing outside of it', () => {
  const wrong = files
    .filter((file) => file.startsWith('src/common/'))
    .flatMap((file) => imports.get(file)!.map((target) => `${file} -> ${target}`))
    .filter((arrow) => !/-> src\/common\//.test(arrow));
  expect(wrong).toEqual([]);
});

/** The folders of src/, from the bottom to the top: each imports those before it. */
const order = [
  'common',
  'options',
  'arc',
  'prompts',
  'tensors',
  'models',
  'training',
  'generation',
  'evaluation',
  'display',
  'session',
  'records',
  'experiments',
  'studies',
  'tools',
  'submit',
  'sweeps',
  'progress',
  'writeup',
  'kaggle',
  'cli',
];

/** Imports upwards that there are, each with its reason. */
const upwards: Record<string, string> = {
  'src/options/* -> src/tensors/precision.ts': 'a list of names, without tensors',
};

const folderOf = (file: string): string => file.split('/')[1]!;

test('imports of src/ go down the list of folders', () => {
  expect([...new Set(files.filter((file) => /^src\/.+\//.test(file)).map(folderOf))].sort()).toEqual(
    [...order].sort(),
  );
  const wrong = files
    .filter((file) => /^src\/.+\//.test(file))
    .flatMap((file) => imports.get(file)!.map((target) => [file, target] as const))
    .filter(([, target]) => target.startsWith('src/'))
    .filter(([file, target]) => order.indexOf(folderOf(file)) < order.indexOf(folderOf(target)))
    .map(([file, target]) => `src/${folderOf(file)}/* -> ${target}`);
  expect([...new Set(wrong)].sort()).toEqual(Object.keys(upwards).sort());
});

test('experiments/ is a dozen flows at most', () => {
  expect(sourcesOf('src/experiments').length).toBeLessThanOrEqual(12);
});

/**
 * What lies in a folder of a package is its own. From outside only these files of such folders are imported; what is
 * wanted of others is exported by a file of the package itself, or joins this list with its reason.
 */
const entries: Record<string, readonly string[]> = {
  // declarations of generators and readers of formats, one file each
  'arc/generators': ['define', 'index', 'knobs'],
  'arc/import': ['barc', 'barc-messages', 'code-set', 'rows'],
  'generation/search': ['search', 'types'],
  'sweeps/queue': ['redis', 'status', 'worker'],
  // ranks of a job, which the command line starts and training works with
  'tensors/collective': ['advice', 'alone', 'collective', 'environment', 'join', 'ranks', 'tensor-sums'],
  'tensors/ops': ['index'],
  // what is particular to an installed library or a device: where it is, what it lacks, graphs of decoding
  'tensors/tensorflow': ['build'],
  'tensors/torch': ['backend', 'graphs', 'gpus', 'locate'],
  'tensors/webgpu': ['errors', 'navigator'],
};

test('what lies in a folder of a package is imported from outside by its entries alone', () => {
  const used = files
    .filter((file) => file.startsWith('src/'))
    .flatMap((file) =>
      imports.get(file)!.filter((target) => target.startsWith('src/') && folderOf(target) !== folderOf(file)),
    )
    .map((target) => /^src\/(.+\/.+)\/([^/]+)\.ts$/.exec(target))
    .flatMap((match) => (match ? [`${match[1]}/${match[2]}`] : []));
  const allowed = Object.entries(entries).flatMap(([folder, names]) =>
    names.map((name) => `${folder}/${name}`),
  );
  expect([...new Set(used)].sort()).toEqual(allowed.sort());
});

test('no files import each other in a circle', () => {
  expect(circlesOf(imports)).toEqual([]);
});

test('no name of a family of models stands outside of models/families/', () => {
  const pattern = new RegExp(`['"](${families.map(({ modelType }) => modelType).join('|')})['"]`);
  const wrong = files
    .filter((file) => file.startsWith('src/') && !file.startsWith('src/models/families/'))
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .filter((line) => pattern.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    );
  // which family a new model is of when nobody says
  expect(wrong).toEqual(["src/options/other.ts: default: 'qwen2',"]);
});

test('above tensors/ nothing waits for a device: what reads a tensor is asynchronous', () => {
  const wrong = files
    .filter((file) => file.startsWith('src/') && !file.startsWith('src/tensors/'))
    .filter((file) => /\.(dataSync|arraySync|bytesSync)\b/.test(readFileSync(join(root, file), 'utf8')));
  expect(wrong).toEqual([]);
});

/** The files of each circle of imports, as one text. (Tarjan's strongly connected components.) */
function circlesOf(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const number = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const visit = (file: string): void => {
    number.set(file, number.size);
    lowest.set(file, number.get(file)!);
    stack.push(file);
    for (const target of graph.get(file)!) {
      if (!graph.has(target)) continue;
      if (!number.has(target)) visit(target);
      // a file that has left the stack belongs to a circle that is already known
      if (stack.includes(target)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!));
    }
    if (lowest.get(file) !== number.get(file)) return;
    const members = stack.splice(stack.indexOf(file));
    if (members.length > 1) found.push(members.sort().join(' '));
  };
  for (const file of graph.keys()) if (!number.has(file)) visit(file);
  return found.sort();
}
