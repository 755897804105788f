import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { saveDataset } from '../../src/arc/dataset.js';
import type { Grid, Task } from '../../src/arc/types.js';
import { declareCommand, optionsOf } from '../../src/cli/flags.js';
import { normalizeFlags } from '../../src/cli/main.js';
import { UserError } from '../../src/common/errors.js';
import { RERUN_VARIABLE } from '../../src/common/rerun.js';
import { Rng } from '../../src/common/rng.js';
import { loadPredictions, loadResults } from '../../src/evaluation/files.js';
import { generateInputs } from '../../src/experiments/generate-inputs.js';
import { type InferOptions, infer } from '../../src/experiments/infer.js';
import { checkpointInferOptions, inferEvaluate } from '../../src/experiments/infer-evaluate.js';
import { score } from '../../src/experiments/score.js';
import { initModel } from '../../src/models/init-model.js';
import { loadTokenizer } from '../../src/prompts/index.js';
import { writeTokenizer } from '../../src/prompts/train-tokenizer.js';
import { poison } from '../models/poison.js';
import { keepNotes } from '../notes.js';

let folder: string;
let modelPath: string;
let datasetPath: string;
const kind = 'output-from-examples-mini';
const gridEncoder = 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))';

function makeTasks(count: number): Map<string, Task[]> {
  return new Map(
    Array.from({ length: count }, (_, i) => {
      const rng = Rng.of(i, 'task');
      const grid = (): Grid =>
        Array.from({ length: 3 }, () => Array.from({ length: 2 }, () => rng.int(0, 9)));
      const sample = () => {
        const input = grid();
        return { input, output: input.map((row) => [...row].reverse()) };
      };
      return [
        `task${i}`,
        [{ train: [sample(), sample(), sample()], test: i === 1 ? [sample(), sample()] : [sample()] }],
      ];
    }),
  );
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-infer-'));
  modelPath = join(folder, 'model');
  initModel({
    outputDir: modelPath,
    hiddenSize: 32,
    numLayers: 1,
    vocabSize: 320,
    maxPositionEmbeddings: 2048,
    writeTokenizer,
  });
  datasetPath = join(folder, 'tasks.json');
  saveDataset(datasetPath, makeTasks(3));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Options of a quick inference with random weights. */
const options = (name: string, more: Partial<InferOptions> = {}): InferOptions => ({
  modelPath,
  datasetPath,
  gridEncoder,
  promptVersion: kind,
  predictionsPerTask: 2,
  outputPath: join(folder, name),
  temperature: 1,
  maxNewTokens: 12,
  ...more,
});

const read = (name: string) => readFileSync(join(folder, name), 'utf8');

describe('infer', () => {
  it('writes the attempts and the detailed list; constrained answers are all grids', async () => {
    const { predictions, unparsable } = await infer(
      options('constrained.json', { constrained: true, maxNewTokens: undefined }),
    );
    expect(predictions).toHaveLength(8);
    expect(unparsable).toBe(0);
    const { answers } = loadResults(join(folder, 'constrained.json'));
    expect([...answers].map(([id, inputs]) => [id, inputs.map((list) => list.length)])).toEqual([
      ['task0', [2]],
      ['task1', [2, 2]],
      ['task2', [2]],
    ]);
    expect(loadPredictions(join(folder, 'constrained_task_results.json'))).toEqual(predictions);
  });

  it('predicts the same twice with one seed, at any batch size; another seed gives others', async () => {
    await infer(options('first.json'));
    await infer(options('second.json'));
    expect(read('second_task_results.json')).toBe(read('first_task_results.json'));
    const texts = (name: string) => loadPredictions(join(folder, name)).map(({ text }) => text);
    await infer(options('one.json', { batchSize: 1 }));
    expect(texts('one_task_results.json')).toEqual(texts('first_task_results.json'));
    await infer(options('seed.json', { seed: 8 }));
    expect(texts('seed_task_results.json')).not.toEqual(texts('first_task_results.json'));
  });

  it('makes no more greedy predictions than there are views, and says how many are missing', async () => {
    const notes: string[] = [];
    const few = { colorAugmentation: false, orderAugmentation: false, temperature: 0, maxNewTokens: 3 };
    const asked = options('greedy.json', { ...few, predictionsPerTask: 10 });
    const { predictions } = await infer({ ...asked, onEvent: keepNotes(notes) });
    expect(predictions.length).toBeLessThanOrEqual(4 * 8);
    expect(notes.filter((text) => text.includes('fewer than asked for'))).toEqual([
      expect.stringMatching(new RegExp(`^${40 - predictions.length} predictions fewer than asked for: with`)),
    ]);
  });

  it('keeps unanswered predictions as null', async () => {
    const { unparsable, cutOff } = await infer(options('null.json'));
    expect(unparsable).toBe(8);
    expect(cutOff).toBeGreaterThan(0);
    const content = JSON.parse(read('null.json'));
    expect(content.task1).toEqual([
      { attempt_1: null, attempt_2: null },
      { attempt_1: null, attempt_2: null },
    ]);
  });

  it.each<[string, Partial<InferOptions>, RegExp]>([
    ['prompt kind', { promptVersion: 'predict-output-v2' }, /Unknown prompt kind "predict-output-v2".*Known/],
    ['purpose', { promptVersion: 'input-from-inputs-v0' }, /`promptVersion: input-from-inputs-v0` asks for/],
    ['encoder', { gridEncoder: 'NoEncoder()' }, /NoEncoder/],
    ['data set', { datasetPath: 'missing.json' }, /missing\.json/],
    ['length', { maxSeqLen: 20 }, /`maxSeqLen: 20`: none of the 8 prompts/],
    ['model', { modelPath: 'no/such/model' }, /no\/such\/model: no such folder/],
    ['output', { outputPath: join(__filename, 'x.json') }, /`outputPath`: cannot write/],
    ['name of the output', { outputPath: tmpdir() }, /`outputPath` .*: expected the name of a file/],
  ])('refuses a wrong %s in one line, before it loads weights', async (_, more, message) => {
    const broken = join(folder, 'broken');
    cpSync(modelPath, broken, { recursive: true });
    rmSync(join(broken, 'model.safetensors'));
    const failure = infer(options('never.json', { modelPath: broken, ...more }));
    await expect(failure).rejects.toThrow(UserError);
    await expect(failure).rejects.toThrow(message);
    await expect(failure).rejects.not.toThrow(/\n/);
  });
});

describe('infer-evaluate', () => {
  it('takes model, encoder and prompt from cfg.json, and skips inference the second time', async () => {
    const checkpoint = join(folder, 'checkpoint-5');
    cpSync(modelPath, checkpoint, { recursive: true });
    const config = {
      modelPath,
      gridEncoder,
      useLora: false,
      trainDatasets: [['x.json', 'input-from-inputs-mini']],
      valDataset: [[datasetPath, kind]],
    };
    writeFileSync(join(checkpoint, 'cfg.json'), JSON.stringify(config));
    const run = () => inferEvaluate({ checkpoint, predictionsPerTask: 2, maxNewTokens: 12, temperature: 1 });
    const first = await run();
    expect(first.inferred).toBe(true);
    expect(first.outputPath).toBe(
      join(checkpoint, 'inference_tasks_x2_output-from-examples-mini_t1_out12.json'),
    );
    expect(first.metrics).toMatchObject({ accuracy: 0, unanswered: 1 });
    expect(Object.keys(first.votedMetrics)).toEqual(expect.arrayContaining(['accuracy', 'vote_1', 'vote_2']));
    const { mtimeMs } = statSync(first.outputPath);
    const second = await run();
    expect(second).toEqual({ ...first, inferred: false });
    expect(statSync(first.outputPath).mtimeMs).toBe(mtimeMs);
    // a rerun predicts anew, but only once
    vi.stubEnv(RERUN_VARIABLE, String(mtimeMs + 1));
    expect(await run()).toEqual(first);
    expect(await run()).toEqual({ ...first, inferred: false });
    vi.unstubAllEnvs();
  });

  it('predicts and evaluates only the first tasks, in a file of their own', async () => {
    const checkpoint = join(folder, 'checkpoint-5');
    const result = await inferEvaluate({ checkpoint, predictionsPerTask: 1, maxNewTokens: 12, nTasks: 1 });
    const [first] = Object.keys(JSON.parse(readFileSync(datasetPath, 'utf8')) as object);
    expect(new Set(result.predictions.map(({ taskId }) => taskId))).toEqual(new Set([first]));
    expect(result.outputPath).toContain('_first1_');
    expect(result.metrics.unanswered).toBe(1);
  });

  it('refuses an unknown prompt kind even when nothing is to be inferred, and attempts without their list', async () => {
    const checkpoint = join(folder, 'checkpoint-5');
    const known = { checkpoint, outputPath: join(folder, 'evaluated.json'), maxNewTokens: 12 };
    expect((await inferEvaluate(known)).inferred).toBe(true);
    expect((await inferEvaluate(known)).inferred).toBe(false);
    await expect(inferEvaluate({ ...known, promptVersion: 'predict-output-v2' })).rejects.toThrow(
      /Known kinds/,
    );
    // what other options predict is another file
    const names = [
      {},
      { gridEncoder: 'MinimalGridEncoder()' },
      { modelPath: 'other/model' },
      { gridEncoder },
    ].map((more) => checkpointInferOptions({ checkpoint, ...more }).outputPath);
    expect(new Set(names).size).toBe(3);
    expect(names[3]).toBe(names[0]);
    const alone = join(folder, 'alone.json');
    cpSync(known.outputPath, alone);
    await expect(inferEvaluate({ checkpoint, outputPath: alone })).rejects.toThrow(
      /alone\.json exists, but nothing says that it was predicted by infer-evaluate/,
    );
    expect(read('alone.json')).toBe(read('evaluated.json'));
  });

  it('reuses results by the content of data set, checkpoint and options, not by name', async () => {
    const checkpoint = join(folder, 'checkpoint-6');
    cpSync(join(folder, 'checkpoint-5'), checkpoint, { recursive: true });
    const own = join(folder, 'own.json');
    saveDataset(own, makeTasks(2));
    const base = {
      checkpoint,
      datasetPath: own,
      outputPath: join(folder, 'reused.json'),
      maxNewTokens: 12,
    };
    const notes: string[] = [];
    const inferred = async (more: object = {}) =>
      (await inferEvaluate({ ...base, ...more, onEvent: keepNotes(notes) })).inferred;
    expect(await inferred()).toBe(true);
    expect(await inferred({ batchSize: 2 })).toBe(false);
    expect(notes.at(-1)).toMatch(/reused\.json is up to date/);
    // the same tasks in a file of another layout and name
    const copy = join(folder, 'own-copy.json');
    writeFileSync(copy, JSON.stringify(JSON.parse(readFileSync(own, 'utf8')), null, 3));
    expect(await inferred({ datasetPath: copy })).toBe(false);
    expect(await inferred({ seed: 9 })).toBe(true);
    expect(notes.at(-1)).toMatch(/was made with another options: predicting anew/);
    expect(await inferred()).toBe(true);
    saveDataset(own, makeTasks(1));
    expect(await inferred()).toBe(true);
    expect(notes.at(-1)).toMatch(/another dataset: predicting anew/);
    expect(await inferred()).toBe(false);
    poison(checkpoint, loadTokenizer(checkpoint).encode('Z')[0]!);
    expect(await inferred()).toBe(true);
    expect(notes.at(-1)).toMatch(/another checkpoint: predicting anew/);
    // results that were changed, or do not say what they were made from, are neither trusted nor overwritten
    const details = join(folder, 'reused_task_results.json');
    writeFileSync(details, `${readFileSync(details, 'utf8')} `);
    await expect(inferred()).rejects.toThrow(/nothing says that it was predicted by infer-evaluate/);
    rmSync(join(folder, 'reused_inputs.json'));
    await expect(inferred()).rejects.toThrow(/nothing says that it was predicted by infer-evaluate/);
  });

  it('says that a checkpoint was trained with `pruneVocab` and is used without', async () => {
    const trained = join(folder, 'pruned');
    cpSync(modelPath, trained, { recursive: true });
    writeFileSync(join(trained, 'cfg.json'), JSON.stringify({ pruneVocab: true }));
    const told = async (more: Partial<InferOptions>) => {
      const notes: string[] = [];
      await infer({ ...options('pruned.json', more), onEvent: keepNotes(notes) });
      return notes.filter((text) => text.includes('`pruneVocab`'));
    };
    expect(await told({})).toEqual([]);
    expect(await told({ modelPath: trained })).toEqual([
      expect.stringMatching(/pruned was trained with `pruneVocab` and is used without it/),
    ]);
    expect(await told({ modelPath: trained, pruneVocab: true })).toEqual([]);
  });

  it('refuses a folder that is no checkpoint and a data set without solutions', async () => {
    await expect(inferEvaluate({ checkpoint: modelPath, datasetPath })).rejects.toThrow(/found no cfg\.json/);
    const checkpoint = join(folder, 'checkpoint-6');
    cpSync(modelPath, checkpoint, { recursive: true });
    const config = { modelPath, gridEncoder, trainDatasets: [['x.json', kind]], valDataset: [] };
    writeFileSync(join(checkpoint, 'cfg.json'), JSON.stringify(config));
    await expect(inferEvaluate({ checkpoint })).rejects.toThrow(/`datasetPath`: .* names no validation set/);
    const challenges = join(folder, 'unsolved.json');
    const [[id, [task]]] = [...makeTasks(1)] as [[string, Task[]]];
    saveDataset(challenges, new Map([[id, [{ ...task!, test: [{ input: [[1]] }] }]]]));
    await expect(inferEvaluate({ checkpoint, datasetPath: challenges })).rejects.toThrow(/is not known/);
  });
});

describe('generate-inputs', () => {
  it('draws grids for every task and counts them', async () => {
    const outputPath = join(folder, 'inputs.json');
    const htmlPath = join(folder, 'inputs.html');
    const result = await generateInputs({
      modelPath,
      datasetPath,
      gridEncoder,
      promptVersion: 'input-from-inputs-mini',
      n: 2,
      constrained: true,
      outputPath,
      htmlPath,
    });
    expect(result).toMatchObject({ drawn: 6, valid: 6, tooLong: 0 });
    const written = JSON.parse(readFileSync(outputPath, 'utf8'));
    expect(Object.keys(written)).toEqual(['task0', 'task1', 'task2']);
    expect(written).toEqual(Object.fromEntries(result.grids));
    const given = [...makeTasks(3).values()].flatMap(([task]) => [...task!.train, ...task!.test]);
    const html = readFileSync(htmlPath, 'utf8');
    expect(html.match(/<svg/g)).toHaveLength(given.length + result.different);
    expect(html.match(/<figcaption>new, -[\d.]+ nats</g)).toHaveLength(result.fresh);
  });

  it('refuses a prompt kind that does not draw grids', async () => {
    const failure = generateInputs({ modelPath, datasetPath, promptVersion: kind });
    await expect(failure).rejects.toThrow(/needs one that asks for input-from-inputs or output-from-outputs/);
  });
});

describe('a model whose numbers are not finite', () => {
  const broken = () => {
    const path = join(folder, 'not-finite');
    cpSync(modelPath, path, { recursive: true });
    poison(path, loadTokenizer(path).encode('9')[0]!);
    const task = (color: number) => [
      { train: [{ input: [[color]], output: [[1]] }], test: [{ input: [[2]], output: [[3]] }] },
    ];
    const tasks = (entries: Record<string, number>) => {
      const file = join(folder, `colors-${Object.values(entries).join('')}.json`);
      const list = Object.entries(entries).map(([id, color]): [string, Task[]] => [id, task(color)]);
      saveDataset(file, new Map(list));
      return file;
    };
    return { modelPath: path, tasks };
  };
  const plain = { colorAugmentation: false, temperature: 0, maxNewTokens: 3 };

  it('loses the answers that it concerns and no others, and says why', async () => {
    const { modelPath, tasks } = broken();
    const datasetPath = tasks({ a: 3, b: 9, c: 4 });
    const notes: string[] = [];
    const result = await infer({
      ...options('some.json', { modelPath, datasetPath, ...plain }),
      onEvent: keepNotes(notes),
    });
    expect(result.notFinite).toBe(2);
    const reason = "the model's numbers are not finite in float32";
    expect(loadPredictions(join(folder, 'some_task_results.json'))).toEqual(result.predictions);
    for (const prediction of result.predictions) {
      expect(prediction.reason).toBe(prediction.taskId === 'b' ? reason : undefined);
      if (prediction.taskId === 'b') expect(prediction).toMatchObject({ grid: null, logProb: -Infinity });
    }
    expect(notes).toContainEqual(expect.stringContaining(`2 of 6 answers could not be computed: ${reason}`));
    const { kinds } = await score({ modelPath, datasetPath, gridEncoder, promptVersion: kind });
    expect(kinds[0]).toMatchObject({ notFinite: 1 });
    expect(kinds[0]!.answers.map(({ logProb }) => logProb === null)).toEqual([false, true, false]);
    expect(Number.isFinite(kinds[0]!.perAnswer + kinds[0]!.perToken)).toBe(true);
  });

  it('ends with one line when nothing can be answered, and writes nothing', async () => {
    const { modelPath, tasks } = broken();
    const datasetPath = tasks({ b: 9 });
    const message = /none of \d+ answers could be computed: .* not finite in float32; check the weights/;
    await expect(infer(options('none.json', { modelPath, datasetPath, ...plain }))).rejects.toThrow(message);
    expect(existsSync(join(folder, 'none.json'))).toBe(false);
    const outputPath = join(folder, 'no-scores.json');
    const scoring = score({ modelPath, datasetPath, gridEncoder, promptVersion: kind, outputPath });
    await expect(scoring).rejects.toThrow(message);
    expect(existsSync(outputPath)).toBe(false);
    const drawing = generateInputs({
      modelPath,
      datasetPath,
      gridEncoder,
      promptVersion: 'input-from-inputs-mini',
    });
    await expect(drawing).rejects.toThrow(message);
  });
});

describe('score', () => {
  it('scores solutions per prompt kind, and predictions again', async () => {
    const { kinds } = await score({
      modelPath,
      datasetPath,
      gridEncoder,
      promptVersion: [kind, 'input-from-inputs-mini'],
      augmentations: 2,
    });
    expect(kinds.map(({ answers }) => answers.length)).toEqual([4, 4]);
    for (const { perToken } of kinds) {
      // random weights know nothing: about one in 320
      expect(perToken).toBeGreaterThan(-Math.log(320) - 1);
      expect(perToken).toBeLessThan(-Math.log(320) + 1);
    }
    const before = join(folder, 'constrained_task_results.json');
    const outputPath = join(folder, 'rescored.json');
    const { predictions } = await score({
      modelPath,
      datasetPath,
      gridEncoder,
      promptVersion: kind,
      inputPath: before,
      outputPath,
    });
    expect(predictions!.map(({ grid }) => grid)).toEqual(loadPredictions(before).map(({ grid }) => grid));
    // now all tokens count, not only those that were a choice
    for (const [i, { logProb }] of loadPredictions(outputPath).entries()) {
      expect(logProb).toBe(predictions![i]!.logProb);
      expect(logProb).toBeLessThan(loadPredictions(before)[i]!.logProb);
    }
  });
});

describe('score, of what cannot be scored', () => {
  const session = () => ({ modelPath, datasetPath, gridEncoder });

  it('refuses a result file without a grid, naming it', async () => {
    const inputPath = join(folder, 'null_task_results.json');
    await expect(score({ ...session(), promptVersion: kind, inputPath })).rejects.toThrow(
      /null_task_results\.json: expected predicted grids to score, found none/,
    );
  });

  it('refuses a prompt kind of which nothing fits, instead of a mean over nothing', async () => {
    const promptVersion = [kind, 'output-from-examples-v0'];
    await expect(score({ ...session(), promptVersion, maxSeqLen: 400 })).rejects.toThrow(
      /`maxSeqLen: 400`: no prompt of kind output-from-examples-v0 .* fits/,
    );
  });
});

describe('the command line', () => {
  it.each(['infer', 'infer-evaluate', 'generate-inputs', 'score'])('declares %s', async (name) => {
    const { default: file } = await import(`../../src/cli/commands/${name}.ts`);
    const command = new Command(name);
    declareCommand(command, file);
    expect(command.helpInformation()).toMatch(/--constrained|--augmentations/);
  });

  it('runs infer with the flags of the documentation', async () => {
    const { default: file } = await import('../../src/cli/commands/infer.js');
    const command = new Command('infer').exitOverride();
    declareCommand(command, file);
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      const output = join(folder, 'cli.json');
      command.action((parsed) => file.run([], optionsOf(file, parsed) as never));
      const flags =
        `--model_path ${modelPath} --dataset_path ${datasetPath} --output_path ${output} ` +
        `--predictions_per_task 1 --prompt_version ${kind} --temperature 0 --max_output_tokens=5 --no-constrained`;
      await command.parseAsync(normalizeFlags(flags.split(' ')), { from: 'user' });
      expect(write.mock.calls.join('')).toMatch(/cli\.json: 4 predictions, 4 not a grid \(4 cut off/);
      expect(loadPredictions(join(folder, 'cli_task_results.json'))).toHaveLength(4);
    } finally {
      write.mockRestore();
    }
  });
});
