import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { buildNotebook, writeNotebook } from '../../src/kaggle/build.js';
import { configDefaults } from '../../src/kaggle/config.js';
import { renderCells } from '../../src/kaggle/render.js';
import { END_OF_SOURCE } from '../../src/kaggle/source.js';
import type { KaggleConfig } from '../../src/kaggle/types.js';
import {
  findNotebook,
  type VerifyOptions,
  type VerifyResult,
  verifyNotebook,
} from '../../src/kaggle/verify.js';
import { loadDecoder, saveAdapter } from '../../src/models/index.js';
import { initBackend } from '../../src/tensors/backend.js';
import { backendsUnderTest, pythonWith } from '../prerequisites/index.js';
import { writeTinyModel } from '../training/tiny.js';

const config: KaggleConfig = {
  ...configDefaults,
  title: 'a rehearsal',
  slug: 'a-rehearsal',
  submit: {
    promptVersion: 'output-from-examples-mini',
    gridEncoder: 'MinimalGridEncoder()',
    predictionsPerTask: 2,
    searchViews: 2,
    fineTuneSteps: 2,
    fineTuneMaxSeqLen: 1024,
  },
};

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-rehearsal-'));
  writeNotebook(await buildNotebook(config), config, folder);
}, 400_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Edit = (source: string, id: string) => string;

/** Rehearses, after changing cells of the notebook. */
function rehearse(options: VerifyOptions & { edit?: Edit } = {}): Promise<VerifyResult> {
  const { edit, prepare, ...rest } = options;
  return verifyNotebook(folder, {
    backend: 'wasm',
    ...rest,
    prepare(stage) {
      if (edit) {
        const notebook = JSON.parse(readFileSync(stage.notebook, 'utf8'));
        for (const cell of notebook.cells) cell.source = edit(cell.source.join(''), cell.id);
        writeFileSync(stage.notebook, JSON.stringify(notebook));
      }
      prepare?.(stage);
    },
  });
}

/** The cell that failed and what it says, on one line. */
async function failure(options: Parameters<typeof rehearse>[0]): Promise<string> {
  const { cells } = await rehearse(options);
  const last = cells.at(-1)!;
  expect(last.error, 'the notebook should have stopped').not.toBeNull();
  return `${last.id}: ${last.error!.message}`;
}

/** Replaces a part of one cell; the part has to be there. */
const change =
  (cell: string, from: string, to: string): Edit =>
  (source, id) => {
    if (id !== cell) return source;
    expect(source).toContain(from);
    return source.replace(from, () => to);
  };

/** The first line of the flow that the notebook's cells call. */
const MARK = 'async function submit(options, parts = {}) {';

// a rehearsal starts a Python kernel, and every test starts one
describe.runIf(pythonWith('nbclient', 'ipykernel'))(
  'a notebook on a copy of Kaggle',
  { timeout: 200_000 },
  () => {
    // the tensorflow backend is no part of the notebook
    const carried = backendsUnderTest().filter((backend) => backend !== 'tensorflow');
    it.each(carried)('leaves a valid submission with %s', async (backend) => {
      const { cells, secondsToTypeScript, tasks, predictions } = await rehearse({ backend });
      expect(cells.filter(({ error }) => error)).toEqual([]);
      expect(cells.at(-1)!.output).toContain(
        `submission.json is valid: ${tasks} tasks, ${2 * (tasks + 1)} attempts`,
      );
      expect(cells.find(({ id }) => id === 'bootstrap')!.output).toMatch(new RegExp(`backend +${backend}`));
      expect(cells.find(({ id }) => id === 'experiment-2')!.output).toMatch(
        /fine-tuning 1\/2: loss[\s\S]*predictions \d[\s\S]*\d predictions for 4 test inputs/,
      );
      // a busy machine may not get to all of them in time
      expect(predictions).toBeGreaterThan(0);
      process.stderr.write(`${secondsToTypeScript.toFixed(1)} s to the first cell of TypeScript\n`);
    });

    it('runs the source as it stands in its cell', async () => {
      const { cells } = await rehearse({
        edit: change(
          'source',
          MARK,
          `${MARK}
  throw new Error('edited by hand');`,
        ),
      });
      expect(cells.find(({ id }) => id === 'bootstrap')!.output).toContain('source edited');
      expect(cells.at(-1)).toMatchObject({
        id: 'experiment-2',
        error: { message: expect.stringContaining('edited by hand') },
      });
    });

    it('tells where a source is no JavaScript, in lines of its cell', async () => {
      let line = 0;
      const said = await failure({
        edit(source, id) {
          if (id !== 'source') return source;
          const at = source.indexOf(MARK) + MARK.length;
          line = source.slice(0, at).split('\n').length + 1;
          return `${source.slice(0, at)}\n  const x = ;${source.slice(at)}`;
        },
      });
      expect(said).toMatch(
        new RegExp(
          `^bootstrap: The cell with the source has a mistake in line ${line}\\n {2}const x = ;\\n +\\^\\n+SyntaxError: [^\\n]+$`,
        ),
      );
    });

    it.each([
      ['planPrediction', /the model has answered nothing/],
      ['buildSample', /not what was meant: fine-tune: /],
    ])('tells where a mistake is that only another process or thread meets: in %s', async (name, ends) => {
      let line = 0;
      const { cells } = await rehearse({
        edit(source, id) {
          if (id !== 'source') return source;
          const [mark = ''] = new RegExp(`function ${name}\\(.*\\) \\{\n`).exec(source) ?? [];
          expect(mark).not.toBe('');
          const at = source.indexOf(mark) + mark.length;
          line = source.slice(0, at).split('\n').length;
          return `${source.slice(0, at)}  noSuchName.of(this);\n${source.slice(at)}`;
        },
      });
      const { output, error } = cells.at(-1)!;
      expect(output).toContain(`noSuchName is not defined (at ${name} arclab.mjs:${line}`);
      expect(error!.message).toMatch(ends);
    });

    it('refuses an option that is misspelled in a cell', async () => {
      const said = await failure({
        edit: change('experiment-2', 'await submit({', 'await submit({\n  fineTuneStep: 3,'),
      });
      expect(said).toContain(
        'OptionError: `fineTuneStep`: there is no such option here; did you mean `fineTuneSteps`?',
      );
    });

    it('tells where an error is, in lines of the cell', async () => {
      const { cells } = await rehearse({
        edit: (source, id) =>
          id === 'experiment-1' ? '%%ts\nconst one: number = 1;\n\nnull.x + one;\n' : source,
      });
      expect(cells.at(-1)!.error!.traceback).toMatch(/cell-\d+\.ts:4/);
    });

    it('runs TypeScript, and the next cell knows what this one has declared', async () => {
      const code = `%%ts
import type { Anything } from './nowhere.js';
enum Color { black, blue = 5 }
class Box<T extends object = {}> { constructor(readonly value: T, private second?: number) {} }
const box = new Box({ color: Color.blue } satisfies Record<string, number>);
const twice = <T,>(x: T): T[] => [x, x] as const as unknown as T[];
abstract class Shape { abstract area(): number; declare size: number; }
`;
      const { cells } = await rehearse({
        edit: (source, id) =>
          id === 'experiment-1'
            ? code
            : id === 'experiment-2'
              ? '%%ts\nconsole.log(JSON.stringify(twice(box)), Color[0]);'
              : source,
      });
      expect(cells.find(({ id }) => id === 'experiment-2')).toMatchObject({ error: null });
      expect(cells.find(({ id }) => id === 'experiment-2')!.output).toBe(
        '[{"value":{"color":5}},{"value":{"color":5}}] black\n',
      );
    });

    it('can be interrupted, and goes on afterwards', async () => {
      const interrupt = `import os, signal, time
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
began = time.time()
try:
    get_ipython().run_cell_magic("ts", "", "while (true);")
except TypeScriptError as error:
    print(error, round(time.time() - began))
`;
      const { cells } = await rehearse({
        edit: (source, id) =>
          id === 'experiment-1'
            ? interrupt
            : id === 'experiment-2'
              ? '%%ts\nconsole.log(Object.keys(inputs).join());'
              : source,
      });
      expect(cells.find(({ id }) => id === 'experiment-1')!.output).toMatch(/^KernelInterrupted: .* \d\n$/);
      expect(cells.find(({ id }) => id === 'experiment-2')!.output).toContain('challenges,model,working');
    });

    /** Leaves the time to the notebook, and shows what a submission would be told instead of making one. */
    const told = (
      prepare: NonNullable<VerifyOptions['prepare']> = () => {},
    ): Parameters<typeof rehearse>[0] => ({
      edit: (source, id) =>
        id === 'experiment-2' ? '%%ts\nthrow new Error([timeBudget, dtype].join());' : source,
      prepare(stage) {
        delete stage.environment.ARCLAB_TIME_BUDGET;
        prepare(stage);
      },
    });

    it('takes little time until it is submitted', async () => {
      expect(await failure(told())).toBe('experiment-2: Error: 1800,');
    });

    it('takes all its time in the rerun, where a cell that fails does not end it', async () => {
      const { cells } = await rehearse(
        told((stage) => Object.assign(stage.environment, { KAGGLE_IS_COMPETITION_RERUN: '1' })),
      );
      expect(cells.find(({ id }) => id === 'experiment-2')).toMatchObject({
        error: null,
        output: expect.stringContaining('Error: 41400,'),
      });
      // the fallback of the first cell
      expect(cells.at(-1)).toMatchObject({
        id: 'check',
        error: null,
        output: expect.stringMatching(/is valid/),
      });
    });

    it.each<[string, Parameters<typeof rehearse>[0], string]>([
      [
        'no Node.js',
        { prepare: ({ environment }) => Object.assign(environment, { PATH: '/nowhere' }) },
        'Node.js was not found on PATH',
      ],
      ['no model', { prepare: ({ model }) => rmSync(model, { recursive: true }) }, 'There is no model in'],
      [
        'a damaged notebook',
        { edit: (source, id) => (id === 'source' ? source.slice(0, 50_000) : source) },
        'The cell with the source is cut off',
      ],
    ])('has a valid submission after a rerun with %s', async (_, options, message) => {
      const { cells, tasks, predictions } = await rehearse({
        ...options,
        prepare(stage) {
          stage.environment.KAGGLE_IS_COMPETITION_RERUN = '1';
          options?.prepare?.(stage);
        },
      });
      expect(cells.filter(({ error }) => error)).toEqual([]);
      expect(cells.find(({ id }) => id === 'bootstrap')!.output).toContain(message);
      expect({ tasks, predictions }).toEqual({ tasks: 3, predictions: 0 });
    });

    it.each([
      ['float16', 'Tesla T4, 15360 MiB, 7.5'],
      ['bfloat16', 'NVIDIA L4, 23034 MiB, 8.9'],
    ])('computes in %s on a GPU: %s', async (type, card) => {
      const options = told(({ root, environment }) => {
        const bin = join(root, 'bin');
        mkdirSync(bin);
        writeFileSync(join(bin, 'nvidia-smi'), `#!/bin/sh\necho ${card}\n`, { mode: 0o755 });
        Object.assign(environment, { PATH: `${bin}:${environment.PATH}`, ARCLAB_LIBTORCH: '/torch' });
      });
      expect(await failure({ ...options, backend: 'torch' })).toBe(`experiment-2: Error: 1800,${type}`);
    });

    it('shows its tasks with predictions and the score of each rule, in a draft only', async () => {
      const output = join(folder, 'executed.ipynb');
      const { cells } = await rehearse({ output });
      expect(cells.find(({ id }) => id === 'experiment-3')!.output).toMatch(
        /rule +first attempt +two attempts\n[-\s]+\ncount +\d[\s\S]*3 tasks have known solutions; \d/,
      );
      const executed = JSON.parse(readFileSync(output, 'utf8'));
      const shown = executed.cells.find((cell: { id: string }) => cell.id === 'experiment-3').outputs;
      const html = shown
        .map((one: { data?: Record<string, string[]> }) => one.data?.['text/html'] ?? [])
        .join('');
      expect(html.match(/<svg/g)!.length).toBeGreaterThanOrEqual(3 + 4);
      const rerun = await rehearse({ rerun: true });
      expect(rerun.cells.find(({ id }) => id === 'experiment-3')).toMatchObject({ output: '', error: null });
      expect(rerun.predictions).toBeGreaterThan(0);
    });

    it("solves one's own challenges, whose solutions are known in a draft", async () => {
      const challenges = join(folder, 'mine_challenges.json');
      const train = [1, 2, 3].map((cell) => ({ input: [[cell, 4]], output: [[4, cell]] }));
      writeFileSync(challenges, JSON.stringify({ mine: { train, test: [{ input: [[3, 4]] }] } }));
      writeFileSync(join(folder, 'mine_solutions.json'), JSON.stringify({ mine: [[[4, 3]]] }));
      const { cells, tasks } = await rehearse({ challenges });
      expect(cells.map(({ error }) => error?.message)).toEqual(cells.map(() => undefined));
      expect(tasks).toBe(1);
      expect(cells.find(({ id }) => id === 'experiment-3')!.output).toContain('1 tasks have known solutions');
    });

    it("takes one's own model, adapter and prompt template", async () => {
      await initBackend('wasm');
      const model = writeTinyModel(join(folder, 'own-model'));
      const adapter = join(folder, 'own-adapter');
      const plain = {
        rank: 2,
        alpha: 4,
        dropout: 0,
        useRslora: false,
        useDora: false,
        init: 'gaussian',
      } as const;
      const decoder = await loadDecoder(model, { lora: plain, rng: Rng.of(1) });
      await saveAdapter(decoder, adapter);
      decoder.dispose();
      const template = join(folder, 'mine.jinja');
      const text =
        '{% for one in train %}[user]\n{{ one.input }}\n[assistant]\n{{ one.output }}\n{% endfor %}' +
        '[user]\n{{ test }}\n[assistant]\n{{ answer }}\n';
      writeFileSync(template, text);
      // the cells of a notebook that was built with it
      const submit = { ...config.submit, promptVersion: template };
      const about = { version: '', date: '', dirty: false, packages: [], packedFolders: [], natives: [] };
      const facts = {
        bundle: '',
        commit: '',
        packed: '',
        packedLength: 0,
        endOfSource: END_OF_SOURCE,
      } as const;
      const own = renderCells({ ...config, submit }, facts, about, '', '');
      // without it the kind would be one of many words, whose prompts do not fit
      expect(own.map(({ source }) => source).join()).not.toContain('output-from-examples');
      const { cells, predictions } = await rehearse({
        ...{ model, adapter },
        edit: (source, id) =>
          id.startsWith('experiment-') ? own.find((cell) => cell.id === id)!.source : source,
      });
      expect(cells.map(({ error }) => error?.message)).toEqual(cells.map(() => undefined));
      const told = cells.find(({ id }) => id === 'bootstrap')!.output;
      expect(told).toMatch(/^adapter +\S+someone\/adapter$/m);
      expect(predictions).toBeGreaterThan(0);
    });

    it('takes a notebook whose cells have no names, and Node.js from a data set, which keeps no permissions', async () => {
      const { cells, secondsToTypeScript, tasks } = await rehearse({
        prepare(stage) {
          const notebook = JSON.parse(readFileSync(stage.notebook, 'utf8'));
          notebook.nbformat_minor = 4;
          for (const cell of notebook.cells) delete cell.id;
          writeFileSync(stage.notebook, JSON.stringify(notebook));
          const attached = join(stage.root, 'input/node/node');
          mkdirSync(dirname(attached));
          cpSync(process.execPath, attached);
          chmodSync(attached, 0o644);
          stage.environment.PATH = '/nowhere';
        },
      });
      expect(cells.map(({ error }) => error?.message)).toEqual(cells.map(() => undefined));
      expect(cells.every(({ id }) => /^cell-\d+$/.test(id))).toBe(true);
      expect(cells.map(({ output }) => output).join('')).toMatch(/Node\.js +\S+ \(.*arclab-\w+\/node\)/);
      expect(tasks).toBe(3);
      expect(secondsToTypeScript).toBeGreaterThan(0);
    });

    it.each([
      [{ adapter: '/nowhere' }, '/nowhere: expected a folder with adapter_config.json'],
      [{ model: '/nowhere' }, '/nowhere: expected a folder with config.json'],
      [{ challenges: '/nowhere' }, '/nowhere'],
    ])('refuses %j', async (options, message) => {
      await expect(rehearse(options)).rejects.toThrow(message);
    });

    it('finds a folder once that is mounted under its older name, too', async () => {
      const options = told(({ root }) => {
        symlinkSync(join(root, 'input/competitions/arc-prize-2025'), join(root, 'input/arc-prize-2025'));
      });
      expect(await failure(options)).toContain('experiment-2: ');
    });

    it.each<[string, Parameters<typeof rehearse>[0], string | RegExp]>([
      [
        'a source that is cut off',
        { edit: (source, id) => (id === 'source' ? source.slice(0, 50_000) : source) },
        'bootstrap: The cell with the source is cut off',
      ],
      [
        'packed files that are cut off',
        { edit: (source, id) => (id === 'packed' ? source.slice(0, 50_000) : source) },
        /^bootstrap: The cell with the packed files is damaged or cut off: expected \d+ characters, found \d+/,
      ],
      [
        'packed files in which a character is another one',
        {
          edit: (source, id) =>
            id === 'packed'
              ? source.replace(/(.{99})(.)$/m, (_, a, b) => a + (b === '0' ? '1' : '0'))
              : source,
        },
        'bootstrap: The cell with the packed files is damaged or cut off: it was edited. Copy',
      ],
      [
        'no Node.js',
        { prepare: ({ environment }) => Object.assign(environment, { PATH: '/nowhere' }) },
        'bootstrap: Node.js was not found on PATH nor in /tools/node/bin. Please attach a data set that holds a file named node',
      ],
      [
        'too old a Node.js',
        {
          prepare(stage) {
            const bin = join(stage.root, 'bin');
            mkdirSync(bin);
            writeFileSync(join(bin, 'node'), '#!/bin/sh\necho v18.12.1\n');
            chmodSync(join(bin, 'node'), 0o755);
            stage.environment.PATH = bin;
          },
        },
        /^bootstrap: No Node\.js that is new enough: \S+\/node is version 18\.12\.1\. Please attach/,
      ],
      [
        'no model',
        { prepare: ({ model }) => rmSync(model, { recursive: true }) },
        /^bootstrap: There is no model in .*\. Attach a model in Hugging Face's format/,
      ],
      [
        'a model whose weights are in another format',
        {
          prepare: ({ model }) =>
            renameSync(join(model, 'model.safetensors'), join(model, 'pytorch_model.bin')),
        },
        /^bootstrap: There is no model in \S+ \(\S+small-model: no \*\.safetensors\)\. Attach a model/,
      ],
      [
        'no challenges',
        { prepare: ({ challenges }) => rmSync(challenges) },
        /^bootstrap: There is no arc-agi_test_challenges\.json file in .*\. Attach the data of the competition arc-prize-2025/,
      ],
      [
        'two models',
        { prepare: ({ model }) => cpSync(model, join(dirname(model), 'another'), { recursive: true }) },
        /^bootstrap: There is more than one model: .*another, .*small-model\. Detach all but one, or set MODEL/,
      ],
      [
        'a path that is wrong',
        { edit: change('bootstrap', 'MODEL = None', 'MODEL = "/nowhere"') },
        'bootstrap: MODEL: /nowhere does not exist',
      ],
      [
        'a Node.js that is not there',
        { edit: change('bootstrap', 'NODE = None', 'NODE = "/nowhere"') },
        'bootstrap: NODE: /nowhere does not exist',
      ],
      [
        'no PyTorch',
        {
          backend: 'torch',
          prepare: ({ environment }) => Object.assign(environment, { ARCLAB_LIBTORCH: '' }),
          edit: change('bootstrap', 'importlib.util.find_spec("torch")', 'None'),
        },
        'bootstrap: There is no PyTorch in this image',
      ],
      [
        'a PyTorch that cannot be used',
        {
          backend: 'torch',
          prepare: ({ environment }) => Object.assign(environment, { ARCLAB_LIBTORCH: '/nowhere' }),
        },
        'experiment-2: Error: submission.json is valid, but the model has answered nothing',
      ],
      [
        'an adapter that cannot be used, though the base model answers in its place',
        {
          prepare({ root }) {
            const adapter = join(root, 'input/datasets/someone/adapter');
            mkdirSync(adapter);
            writeFileSync(join(adapter, 'adapter_config.json'), '{ "peft_type": "LORA", "r": 1 }');
            writeFileSync(join(adapter, 'adapter_model.safetensors'), 'no such thing');
          },
        },
        /^experiment-2: Error: submission\.json is valid, but not what was meant: fine-tune: .*adapter_model\.safetensors: /,
      ],
      [
        'no disk space',
        {
          // the largest file does not fit
          edit: change(
            'bootstrap',
            'import atexit',
            'import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (800000, 800000))\nimport atexit',
          ),
        },
        /^bootstrap: \S+ cannot be written: .*\. Free 10 MB there, or set TMPDIR/,
      ],
      [
        'cells that were not run',
        { edit: (source, id) => (id === 'bootstrap' ? 'pass' : source) },
        'experiment-1: The TypeScript session has not been started',
      ],
    ])('says what to do about %s', async (_, options, message) => {
      const said = await failure(options);
      if (typeof message === 'string') expect(said).toContain(message);
      else expect(said).toMatch(message);
    });
  },
);

it('verify and push say which fields of the metadata they pass on without knowing them', () => {
  const copy = mkdtempSync(join(tmpdir(), 'arclab-metadata-'));
  cpSync(folder, copy, { recursive: true });
  const path = join(copy, 'kernel-metadata.json');
  expect(findNotebook(copy).notes).toEqual([]);
  const metadata = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...metadata, tomorrow: true }));
  expect(findNotebook(copy).notes).toEqual([
    `${path}: the field "tomorrow" is not known here and passed on to Kaggle as it is`,
  ]);
  rmSync(copy, { recursive: true });
});

it('verify says what a folder lacks', () => {
  expect(() => findNotebook(tmpdir())).toThrow('found no kernel-metadata.json');
  const copy = mkdtempSync(join(tmpdir(), 'arclab-metadata-'));
  cpSync(folder, copy, { recursive: true });
  const path = join(copy, 'kernel-metadata.json');
  const metadata = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...metadata, enable_internet: true }));
  expect(() => findNotebook(copy)).toThrow('at /enable_internet: must be one of false, false, found true');
  writeFileSync(path, JSON.stringify({ ...metadata, id: 'no slug' }));
  expect(() => findNotebook(copy)).toThrow('at /id');
  renameSync(copy, `${copy}-done`);
  rmSync(`${copy}-done`, { recursive: true });
});
