/**
 * A rehearsal of a built notebook: from top to bottom in a real Python kernel, in a copy of Kaggle's folders,
 * without a network and without the repository. Afterwards the submission is checked once more from outside.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import rehearse from '../../templates/kaggle/rehearse.py.njk';
import { loadTasks } from '../arc/dataset.js';
import { assertWritable, readJson, writeFileAtomic } from '../common/files.js';
import { pathBelow } from '../common/foreign-path.js';
import { loadPredictions } from '../evaluation/files.js';
import { validateSubmission } from '../evaluation/submission.js';
import { KaggleError } from './errors.js';
import { checkKernelMetadata, unknownFields } from './metadata.js';
import { type KaggleNotebook, kaggleBytes, notebookCells } from './notebook.js';
import { type Stage, type StageOptions, setStage } from './rehearsal.js';
import { MOST_BYTES } from './size.js';

/** How a cell ran. */
export interface CellReport {
  /** Its name in the file; `cell-7` for the seventh of a notebook without names (nbformat 4.4 and older). */
  readonly id: string;
  /** Seconds from the start of the kernel to the start of the cell. */
  readonly start: number;
  readonly seconds: number;
  /** What it printed. */
  readonly output: string;
  readonly error: { name: string; message: string; traceback: string } | null;
}

/** How a rehearsal went. */
export interface VerifyResult {
  readonly cells: readonly CellReport[];
  /** Seconds from the start of the kernel to the first cell of TypeScript. */
  readonly secondsToTypeScript: number;
  /** How the network was kept away. */
  readonly network: string;
  /** How many the valid submission covers; 0 when a cell has failed. */
  readonly tasks: number;
  /** How many predictions of the model it rests on; a submission is valid without any. */
  readonly predictions: number;
}

export interface VerifyOptions extends StageOptions {
  /** Sets ARCLAB_BACKEND for the notebook. */
  readonly backend?: string;
  /** Seconds that one cell may take. */
  readonly timeout?: number;
  /** Where the notebook goes as it was run, to be looked at. */
  readonly output?: string;
  /** Changes the folders before the run: used by tests of failures. */
  readonly prepare?: (stage: Stage) => void;
  readonly onCell?: (cell: CellReport) => void;
}

const PYTHON_ADVICE =
  'python3 -m venv jupyter && jupyter/bin/pip install nbclient ipykernel, then set ARCLAB_JUPYTER_PYTHON=jupyter/bin/python';

/** Ends well where a Python finds both; to import them takes a second or two. */
const FINDS_JUPYTER =
  'import importlib.util as u; raise SystemExit(None in [u.find_spec(m) for m in ("nbclient", "ipykernel")])';

/** A Python that can run notebooks: ARCLAB_JUPYTER_PYTHON, else the one on PATH. @throws {KaggleError} */
function jupyterPython(): string {
  const given = process.env.ARCLAB_JUPYTER_PYTHON;
  const python = given || 'python3';
  try {
    execFileSync(python, ['-c', FINDS_JUPYTER], { stdio: 'ignore' });
    return python.includes('/') ? resolve(python) : onPath(python);
  } catch {
    throw new KaggleError(
      `${given ? `ARCLAB_JUPYTER_PYTHON: ${python}` : 'python3'} has no nbclient and ipykernel: ${PYTHON_ADVICE}`,
    );
  }
}

/** Where a program lies: the rehearsal's own PATH may not lead to it. */
function onPath(program: string): string {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
  return found ?? program;
}

/** A namespace without a network where the system grants one; else proxies that lead nowhere. */
function withoutNetwork(): { command: string[]; environment: Record<string, string>; words: string } {
  try {
    execFileSync('unshare', ['-rn', 'true'], { stdio: 'ignore' });
    return { command: [onPath('unshare'), '-rn'], environment: {}, words: 'no network' };
  } catch {
    const nowhere = 'http://127.0.0.1:9';
    return {
      command: [],
      environment: { http_proxy: nowhere, https_proxy: nowhere, all_proxy: nowhere, HF_HUB_OFFLINE: '1' },
      words: 'proxies that lead nowhere (unshare is not permitted here)',
    };
  }
}

/** A folder that `build` wrote, and what to know of it. */
export interface NotebookFolder {
  readonly path: string;
  readonly metadata: Record<string, unknown>;
  readonly notes: readonly string[];
}

/** The notebook of a folder that `build` wrote. @throws {UserError} when there is none, or not one */
export function findNotebook(folder: string): NotebookFolder {
  const path = join(folder, 'kernel-metadata.json');
  if (!existsSync(path)) {
    throw new KaggleError(
      `${folder}: expected a folder made by arclab kaggle build, found no kernel-metadata.json`,
    );
  }
  const metadata = checkKernelMetadata(readJson(path), path);
  const notes = unknownFields(metadata).map(
    (name) => `${path}: the field ${JSON.stringify(name)} is not known here and passed on to Kaggle as it is`,
  );
  return { path: pathBelow(folder, String(metadata.code_file), `${path}: code_file`), metadata, notes };
}

/** Rehearses the notebook of a folder. A cell that fails ends it, and is in the result. @throws {UserError} */
export async function verifyNotebook(folder: string, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { path, metadata } = findNotebook(folder);
  const notebook = readJson(path, 'a notebook');
  if (options.output !== undefined) assertWritable(options.output);
  const bytes = kaggleBytes(notebook as KaggleNotebook);
  if (bytes > MOST_BYTES)
    throw new KaggleError(`${path}: ${bytes} bytes as Kaggle counts them, more than ${MOST_BYTES}`);
  const python = jupyterPython();
  const [competition = 'arc-prize-2025'] = metadata.competition_sources as string[];
  const temporary = mkdtempSync(join(tmpdir(), 'arclab-verify-'));
  try {
    const stage = setStage(temporary, path, competition, options);
    writeFileSync(join(temporary, 'rehearse.py'), rehearse);
    options.prepare?.(stage);
    const network = withoutNetwork();
    const listed = notebookCells(readJson(stage.notebook, 'a notebook'), path);
    const firstTypeScript = listed.find(({ source }) => source.startsWith('%%ts'));
    const cells = await runPython(
      [...network.command, python, '-I', join(temporary, 'rehearse.py'), stage.notebook],
      [join(temporary, 'executed.ipynb'), String(options.timeout ?? 600)],
      stage,
      { ...network.environment, ...backendVariables(options.backend), ...stage.environment },
      (index) => listed[index]!.id,
      options.onCell,
    );
    if (options.output !== undefined)
      writeFileAtomic(options.output, readFileSync(join(temporary, 'executed.ipynb')));
    let tasks = 0;
    let predictions = 0;
    if (cells.every(({ error }) => error === null)) {
      const challenges = loadTasks(stage.challenges);
      validateSubmission(
        readJson(stage.submission, 'the submission'),
        challenges,
        basename(stage.submission),
      );
      tasks = challenges.size;
      // not there where the session of TypeScript has not started
      const results = join(stage.working, 'submission_task_results.json');
      predictions = existsSync(results) ? loadPredictions(results).length : 0;
    }
    return {
      cells,
      secondsToTypeScript: cells.find(({ id }) => id === firstTypeScript?.id)?.start ?? Number.NaN,
      network: network.words,
      tasks,
      predictions,
    };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** What a notebook is told of the backend; PyTorch may lie in another Python than Jupyter. */
function backendVariables(backend: string | undefined): Record<string, string> {
  const { ARCLAB_LIBTORCH } = process.env;
  return {
    ...(backend === undefined ? {} : { ARCLAB_BACKEND: backend }),
    ...(ARCLAB_LIBTORCH && backend !== 'wasm' ? { ARCLAB_LIBTORCH } : {}),
  };
}

function runPython(
  command: readonly string[],
  args: readonly string[],
  stage: Stage,
  environment: Record<string, string>,
  nameOf: (index: number) => string,
  onCell: (cell: CellReport) => void = () => {},
): Promise<CellReport[]> {
  const [program = '', ...rest] = command;
  const child = spawn(program, [...rest, ...args], {
    cwd: stage.working,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const cells: CellReport[] = [];
  createInterface(child.stdout).on('line', (line) => {
    const { index, ...report } = JSON.parse(line) as Omit<CellReport, 'id'> & { index: number };
    const cell = { id: nameOf(index), ...report };
    cells.push(cell);
    onCell(cell);
  });
  return new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return done(cells);
      reject(
        new KaggleError(
          `the rehearsal broke off: ${stderr.trim().split('\n').at(-1) || `exit code ${code}`}`,
        ),
      );
    });
  });
}
