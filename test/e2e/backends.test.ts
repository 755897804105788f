/** The flows on an installed PyTorch or TensorFlow: the same losses and the same answers as on the embedded backend. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { generateTasksToFile } from '../../src/arc/generate-to-file.js';
import { main } from '../../src/cli/main.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { infer } from '../../src/experiments/infer.js';
import { baseModelFolder, startKnobs } from '../../src/experiments/start.js';
import { Decoder } from '../../src/models/decoder.js';
import { readSafetensors, writeSafetensors } from '../../src/models/safetensors.js';
import type { FloatType } from '../../src/tensors/precision.js';
import { torchFailure } from '../../src/tensors/torch/errors.js';
import { readCheckpoint } from '../../src/training/checkpoints.js';
import { catchPrinted } from '../cli/printed.js';
import { backendsUnderTest, nativeBackends } from '../prerequisites/index.js';

const present = backendsUnderTest();
describe.each(nativeBackends)('%s and wasm', (native) => {
  const test = it.skipIf(!present.includes(native));

  let folder: string;
  const file = (name: string) => join(folder, name);
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), `arclab-e2e-${native}-`));
    const tasks = { ...startKnobs, generators: ['recolor-one', 'keep-color'], count: 24, seed: 1 };
    generateTasksToFile({ ...tasks, outputPath: file('tasks.json') });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const model = { modelPath: baseModelFolder(), gridEncoder: 'MinimalGridEncoder()', seed: 7 };

  test('fine-tune with the same losses', async () => {
    const run = (backend: string, maxSteps: number, outputDir: string) =>
      fineTune({
        ...model,
        backend,
        trainDatasets: [[file('tasks.json'), 'output-from-examples-mini']],
        valDataset: [[file('tasks.json'), 'output-from-examples-mini']],
        outputDir,
        maxSteps,
        loggingSteps: 1,
        saveSteps: 2,
        batchSize: 4,
        learningRate: 1e-3,
        lora: { useDora: true },
        workers: 0,
      });
    const [onNative, onWasm] = [await run(native, 4, file(native)), await run('wasm', 4, file('wasm'))];
    const losses = ({ history }: typeof onNative) => [
      ...history.train.map(({ loss }) => loss),
      ...history.validation.map(({ loss }) => loss),
    ];
    const expected = losses(onWasm);
    expect(expected.length).toBeGreaterThan(4);
    for (const [i, loss] of losses(onNative).entries()) expect(loss).toBeCloseTo(expected[i]!, 3);
  });

  it.runIf(native === 'torch' && present.includes('torch'))(
    'in bfloat16 and float16 too, and a run in float16 that is continued ends with the same adapter',
    async () => {
      const run = (dtype: FloatType, maxSteps: number, outputDir: string, notes: string[] = []) =>
        fineTune({
          ...model,
          backend: 'torch',
          dtype,
          trainDatasets: [[file('tasks.json'), 'output-from-examples-mini']],
          outputDir: file(outputDir),
          maxSteps,
          loggingSteps: 1,
          batchSize: 2,
          learningRate: 1e-3,
          warmupSteps: 0,
          lrSchedulerType: 'constant_with_warmup',
          workers: 0,
          onEvent: (event) => event.type === 'note' && notes.push(event.text),
        });
      const whole = await run('float32', 4, 'whole');
      const losses = ({ history }: typeof whole) => history.train.map(({ loss }) => loss);
      for (const type of ['bfloat16', 'float16'] as const) {
        const half = await run(type, 4, type);
        for (const [i, loss] of losses(half).entries()) {
          expect(Math.abs(loss / losses(whole)[i]! - 1), `${type}, step ${i + 1}`).toBeLessThan(0.03);
        }
      }
      await run('float16', 2, 'parts');
      const notes: string[] = [];
      const parts = await run('float16', 4, 'parts', notes);
      expect(notes.join()).toContain('at step 2');
      const adapter = (folder: string) => readFileSync(join(folder, 'adapter_model.safetensors'));
      expect(adapter(parts.checkpoint).equals(adapter(file('float16/checkpoint-4')))).toBe(true);
      const scaleOf = (folder: string) =>
        JSON.parse(readFileSync(join(folder, 'trainer_state.json'), 'utf8')).lossScale;
      expect(scaleOf(parts.checkpoint)).toEqual(scaleOf(file('float16/checkpoint-4')));
      expect(scaleOf(parts.checkpoint).scale).toBeGreaterThan(1);
    },
  );

  it.runIf(native === 'torch' && present.includes('torch'))(
    'memory that does not suffice is one line with what to do, and leaves the checkpoints',
    async () => {
      const forward = Decoder.prototype.forward;
      let passes = 0;
      // what torch says when a GPU is full
      const message =
        'CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.56 GiB';
      const spy = vi.spyOn(Decoder.prototype, 'forward').mockImplementation(function (
        this: Decoder,
        ...args
      ) {
        if (++passes === 4) throw torchFailure('linear', message, '2.13.0');
        return forward.apply(this, args);
      });
      const run = fineTune({
        ...model,
        backend: 'torch',
        trainDatasets: [[file('tasks.json'), 'output-from-examples-mini']],
        outputDir: file('full'),
        maxSteps: 6,
        saveSteps: 2,
        batchSize: 2,
        workers: 0,
      });
      await expect(run).rejects.toThrow(
        /^out of memory in step 4, a micro-batch of 2 samples with \d+ tokens, the longest of \d+ \(torch: linear: CUDA out of memory.*GiB\); use a lower `maxTokensPerBatch` \(4096 now\) or `maxSeqLen`, or `gradientCheckpointing`, or `dtype: bfloat16`; .*checkpoint-\d is whole, and the run goes on from step \d$/,
      );
      spy.mockRestore();
      const checkpoint = file('full/checkpoint-2');
      expect(readdirSync(checkpoint)).toEqual(readdirSync(file('torch/checkpoint-2')));
      expect(readCheckpoint(checkpoint).state.step).toBe(2);
    },
  );

  it.runIf(native === 'torch' && present.includes('torch'))(
    'answers that overflow in float16 alone end in one line that names the type and the flag, with exit code 2',
    async () => {
      const path = file('large');
      cpSync(model.modelPath, path, { recursive: true });
      const weights = readSafetensors(join(path, 'model.safetensors'));
      const name = 'model.layers.0.mlp.up_proj.weight';
      const { shape, values } = weights.get(name)!;
      // each weight is still a number of float16, and what the layer makes of them is not
      weights.set(name, { shape, values: Float32Array.from(values, (value) => 10_000 * value) });
      writeSafetensors(join(path, 'model.safetensors'), weights);
      const run = async (dtype: string, ...words: string[]) => {
        const printed = catchPrinted();
        const asked = ['--model_path', path, '--dataset_path', file('tasks.json'), '--n_tasks', '2'];
        const how = ['--grid_encoder', 'MinimalGridEncoder()', '--backend', 'torch', '--dtype', dtype];
        const code = await main([...words, ...asked.slice(0, words[0] === 'score' ? 4 : 6), ...how]);
        vi.restoreAllMocks();
        return { code, text: printed.text };
      };
      const kind = ['--prompt_version', 'output-from-examples-mini'];
      const predict = (name: string) => [
        'infer',
        ...kind,
        '--output_path',
        file(name),
        '--max_new_tokens',
        '9',
      ];
      const message =
        /^error: none of \d+ answers could be computed: the model's numbers are not finite in float16; float16 overflows at 65504: use --dtype bfloat16 or float32\n$/;
      for (const words of [predict('overflow.json'), ['score', ...kind]]) {
        expect(await run('float16', ...words)).toEqual({ code: 2, text: expect.stringMatching(message) });
      }
      expect(readdirSync(folder).filter((name) => name.startsWith('overflow'))).toEqual([]);
      expect((await run('float32', ...predict('whole.json'))).code).toBe(0);
    },
  );

  test('predict the same grids, constrained and free', async () => {
    for (const constrained of [false, true]) {
      const run = (backend: string) =>
        infer({
          ...model,
          backend,
          constrained,
          datasetPath: file('tasks.json'),
          outputPath: file(`${backend}-${constrained}.json`),
          promptVersion: 'output-from-examples-mini',
          predictionsPerTask: 2,
          maxNewTokens: 40,
          batchSize: 5,
        });
      const [onNative, onWasm] = [await run(native), await run('wasm')];
      expect(onNative.predictions.length).toBe(48);
      expect(onNative.predictions.map(({ grid }) => grid)).toEqual(
        onWasm.predictions.map(({ grid }) => grid),
      );
    }
  });
});
