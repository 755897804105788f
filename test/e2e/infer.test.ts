import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { saveDataset } from '../../src/arc/dataset.js';
import type { Grid, Task } from '../../src/arc/types.js';
import { normalizeFlags } from '../../src/cli/main.js';
import { UserError } from '../../src/common/errors.js';
import { Rng } from '../../src/common/rng.js';
import { loadPredictions, loadResults } from '../../src/evaluation/files.js';
import { generateInputs } from '../../src/experiments/generate-inputs.js';
import { type InferOptions, infer } from '../../src/experiments/infer.js';
import { inferEvaluate, inferOptions } from '../../src/experiments/infer-evaluate.js';
import { score } from '../../src/experiments/score.js';
import { initModel } from '../../src/models/init-model.js';
import { writeTokenizer } from '../../src/prompts/index.js';

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
  outputFilepath: join(folder, name),
  temperature: 1,
  maxOutputTokens: 12,
  ...more,
});

const read = (name: string) => readFileSync(join(folder, name), 'utf8');

describe('infer', () => {
  it('writes the attempts and the detailed list; constrained answers are all grids', async () => {
    const { predictions, unparsable } = await infer(
      options('constrained.json', { constrained: true, maxOutputTokens: undefined }),
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
    ['purpose', { promptVersion: 'input-from-inputs-v0' }, /--prompt_version input-from-inputs-v0 asks for/],
    ['encoder', { gridEncoder: 'NoEncoder()' }, /NoEncoder/],
    ['data set', { datasetPath: 'missing.json' }, /missing\.json/],
    ['length', { maxSeqLen: 20 }, /--max_seq_len 20: none of the 8 prompts/],
    ['model', { modelPath: 'no/such/model' }, /no\/such\/model: no such folder/],
    ['output', { outputFilepath: join(__filename, 'x.json') }, /--output_filepath: cannot write/],
    ['name of the output', { outputFilepath: tmpdir() }, /--output_filepath .*: expected the name of a file/],
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
    const run = () =>
      inferEvaluate({ checkpoint, predictionsPerTask: 2, maxOutputTokens: 12, temperature: 1 });
    const first = await run();
    expect(first.inferred).toBe(true);
    expect(first.outputFilepath).toBe(
      join(checkpoint, 'inference_tasks_x2_output-from-examples-mini_t1_out12.json'),
    );
    expect(first.metrics).toMatchObject({ accuracy: 0, unanswered: 1 });
    expect(Object.keys(first.votedMetrics)).toEqual(expect.arrayContaining(['accuracy', 'vote_1', 'vote_2']));
    const { mtimeMs } = statSync(first.outputFilepath);
    const second = await run();
    expect(second).toEqual({ ...first, inferred: false });
    expect(statSync(first.outputFilepath).mtimeMs).toBe(mtimeMs);
  });

  it('refuses an unknown prompt kind even when nothing is to be inferred, and attempts without their list', async () => {
    const checkpoint = join(folder, 'checkpoint-5');
    const known = { checkpoint, outputFilepath: join(folder, 'first.json') };
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
    ].map((more) => inferOptions({ checkpoint, ...more }).outputFilepath);
    expect(new Set(names).size).toBe(3);
    expect(names[3]).toBe(names[0]);
    const alone = join(folder, 'alone.json');
    cpSync(known.outputFilepath, alone);
    await expect(inferEvaluate({ checkpoint, outputFilepath: alone })).rejects.toThrow(
      /alone\.json exists, but not the detailed list .*alone_task_results\.json/,
    );
    expect(read('alone.json')).toBe(read('first.json'));
  });

  it('refuses a folder that is no checkpoint and a data set without solutions', async () => {
    await expect(inferEvaluate({ checkpoint: modelPath, datasetPath })).rejects.toThrow(/found no cfg\.json/);
    const checkpoint = join(folder, 'checkpoint-6');
    cpSync(modelPath, checkpoint, { recursive: true });
    const config = { modelPath, gridEncoder, trainDatasets: [['x.json', kind]], valDataset: [] };
    writeFileSync(join(checkpoint, 'cfg.json'), JSON.stringify(config));
    await expect(inferEvaluate({ checkpoint })).rejects.toThrow(/--dataset_path: .* names no validation set/);
    const challenges = join(folder, 'unsolved.json');
    const [[id, [task]]] = [...makeTasks(1)] as [[string, Task[]]];
    saveDataset(challenges, new Map([[id, [{ ...task!, test: [{ input: [[1]] }] }]]]));
    await expect(inferEvaluate({ checkpoint, datasetPath: challenges })).rejects.toThrow(/is not known/);
  });
});

describe('generate-inputs', () => {
  it('draws grids for every task and counts them', async () => {
    const outputFilepath = join(folder, 'inputs.json');
    const htmlFilepath = join(folder, 'inputs.html');
    const result = await generateInputs({
      modelPath,
      datasetPath,
      gridEncoder,
      promptVersion: 'input-from-inputs-mini',
      n: 2,
      constrained: true,
      outputFilepath,
      htmlFilepath,
    });
    expect(result).toMatchObject({ drawn: 6, valid: 6, tooLong: 0 });
    const written = JSON.parse(readFileSync(outputFilepath, 'utf8'));
    expect(Object.keys(written)).toEqual(['task0', 'task1', 'task2']);
    expect(written).toEqual(Object.fromEntries(result.grids));
    const given = [...makeTasks(3).values()].flatMap(([task]) => [...task!.train, ...task!.test]);
    const html = readFileSync(htmlFilepath, 'utf8');
    expect(html.match(/<svg/g)).toHaveLength(given.length + result.different);
    expect(html.match(/<figcaption>new, -[\d.]+ nats</g)).toHaveLength(result.fresh);
  });

  it('refuses a prompt kind that does not draw grids', async () => {
    const failure = generateInputs({ modelPath, datasetPath, promptVersion: kind });
    await expect(failure).rejects.toThrow(/needs one that asks for input-from-inputs or output-from-outputs/);
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
    const outputFilepath = join(folder, 'rescored.json');
    const { predictions } = await score({
      modelPath,
      datasetPath,
      gridEncoder,
      promptVersion: kind,
      inputFilepath: before,
      outputFilepath,
    });
    expect(predictions!.map(({ grid }) => grid)).toEqual(loadPredictions(before).map(({ grid }) => grid));
    // now all tokens count, not only those that were a choice
    for (const [i, { logProb }] of loadPredictions(outputFilepath).entries()) {
      expect(logProb).toBe(predictions![i]!.logProb);
      expect(logProb).toBeLessThan(loadPredictions(before)[i]!.logProb);
    }
  });
});

describe('score, of what cannot be scored', () => {
  const session = () => ({ modelPath, datasetPath, gridEncoder });

  it('refuses a result file without a grid, naming it', async () => {
    const inputFilepath = join(folder, 'null_task_results.json');
    await expect(score({ ...session(), promptVersion: kind, inputFilepath })).rejects.toThrow(
      /null_task_results\.json: expected predicted grids to score, found none/,
    );
  });

  it('refuses a prompt kind of which nothing fits, instead of a mean over nothing', async () => {
    const promptVersion = [kind, 'output-from-examples-v0'];
    await expect(score({ ...session(), promptVersion, maxSeqLen: 400 })).rejects.toThrow(
      /--max_seq_len 400: no prompt of kind output-from-examples-v0 .* fits/,
    );
  });
});

describe('the command line', () => {
  it.each(['infer', 'infer-evaluate', 'generate-inputs', 'score'])('declares %s', async (name) => {
    const { default: file } = await import(`../../src/cli/commands/${name}.ts`);
    const command = new Command(name);
    file.configure(command);
    expect(command.helpInformation()).toMatch(/--constrained|--augmentations/);
  });

  it('runs infer with the flags of the documentation', async () => {
    const { default: file } = await import('../../src/cli/commands/infer.js');
    const command = new Command('infer').exitOverride();
    file.configure(command);
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      const output = join(folder, 'cli.json');
      command.action((parsed) => file.run([], parsed));
      const flags =
        `--model_path ${modelPath} --dataset_path ${datasetPath} --output_filepath ${output} ` +
        `--predictions_per_task 1 --prompt_version ${kind} --temperature 0 --max_output_tokens=5 --no-constrained`;
      await command.parseAsync(normalizeFlags(flags.split(' ')), { from: 'user' });
      expect(write.mock.calls.join('')).toMatch(/cli\.json: 4 predictions, 4 not a grid \(4 cut off/);
      expect(loadPredictions(join(folder, 'cli_task_results.json'))).toHaveLength(4);
    } finally {
      write.mockRestore();
    }
  });
});
