// Packs the package, installs it into an empty folder as a stranger would, runs a notebook with the kernel in it, and
// builds a Kaggle notebook.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'arclab-package-'));
/** @type {(program: string, args: string[], cwd?: string) => string} */
const run = (program, args, cwd = folder) =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

/** @param {string} source */
const code = (source) => ({ cell_type: 'code', execution_count: null, metadata: {}, outputs: [], source });
const notebook = {
  cells: [
    code('interface Pair { a: number; b: number }\nconst pair: Pair = { a: 6, b: 7 }'),
    code("import { gridSvg } from 'arclab'; console.log(typeof gridSvg, pair.a * pair.b)"),
  ],
  metadata: {},
  nbformat: 4,
  nbformat_minor: 4,
};

try {
  // its build is there already
  const packed = run(
    'npm',
    ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder],
    root,
  ).trim();
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  run('npm', ['install', '--no-audit', '--no-fund', '--silent', `./${packed.split('\n').at(-1)}`]);
  writeFileSync(join(folder, 'a.ipynb'), JSON.stringify(notebook));
  // the part for pages has to be found; that it computes is tested in a browser, for which alone it is
  const page = run(process.execPath, [
    '--input-type=module',
    '-e',
    "console.log(new URL(import.meta.resolve('arclab/browser')).pathname)",
  ]).trim();
  if (!existsSync(page)) throw new Error(`arclab/browser leads to ${page}, which is not there`);
  const cli = join(folder, 'node_modules/arclab/dist/arclab.cjs');
  run(process.execPath, [cli, 'kernel', 'install', '--prefix', folder]);
  process.env.JUPYTER_PATH = join(folder, 'share/jupyter');
  run(process.execPath, [cli, 'run', 'a.ipynb', '--kernel', 'arclab']);
  /** @type {{ cells: { outputs: { text: string | string[] }[] }[] }} */
  const { cells } = JSON.parse(readFileSync(join(folder, 'a.ipynb'), 'utf8'));
  const outputs = cells.at(-1)?.outputs ?? [];
  const text = outputs.flatMap((output) => output.text).join('');
  if (text !== 'function 42\n')
    throw new Error(`the cell printed ${JSON.stringify(text)} instead of "function 42"`);
  // made of the source in the package, by what was installed with it
  run(process.execPath, [cli, 'kaggle', 'build', '-o', 'kaggle']);
  const name = readdirSync(join(folder, 'kaggle')).find((file) => file.endsWith('.ipynb'));
  if (!name) throw new Error('kaggle build made no notebook');
  run(process.execPath, [cli, 'kaggle', 'diff', join('kaggle', name)]);
  process.stdout.write(
    'the packed package installs into an empty folder, runs a cell and builds a Kaggle notebook\n',
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
