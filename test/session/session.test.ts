import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadDataset, loadTasks } from '../../src/arc/dataset.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { generateInputs } from '../../src/experiments/generate-inputs.js';
import { infer } from '../../src/experiments/infer.js';
import { score } from '../../src/experiments/score.js';
import type { Decoder } from '../../src/models/decoder.js';
import { loadDecoder } from '../../src/models/load.js';
import { type ModelSession, openModel } from '../../src/session/index.js';
import * as tf from '../../src/tensors/tf.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const mini = 'output-from-examples-mini';

function files() {
  const folder = temporaryFolder();
  return {
    folder,
    modelPath: writeTinyModel(join(folder, 'model')),
    datasetPath: writeTasks(join(folder, 'tasks.json'), recolourTasks(4)),
    gridEncoder: 'MinimalGridEncoder()',
    maxSeqLen: 512,
  };
}

/** An adapter of a short training, which changes what the model says. */
async function trainedAdapter({ folder, modelPath, datasetPath, gridEncoder }: ReturnType<typeof files>) {
  const { checkpoint } = await fineTune({
    modelPath,
    gridEncoder,
    trainDatasets: [[datasetPath, mini]],
    outputDir: join(folder, 'trained'),
    maxSteps: 3,
    batchSize: 2,
    maxSeqLen: 512,
    learningRate: 1e-2,
    lora: { r: 2 },
    workers: 0,
  });
  return checkpoint;
}

const weightsOf = async (decoder: Decoder) =>
  Object.fromEntries(
    await Promise.all(
      Array.from(decoder.weights(), async ([name, tensor]) => [name, await tensor.data()] as const),
    ),
  );

const decoding = { promptVersion: mini, predictionsPerTask: 3, maxNewTokens: 12, batchSize: 4 };

test('gives what the flows give, with and without an adapter', async () => {
  const given = files();
  const { folder, modelPath, gridEncoder, maxSeqLen, datasetPath } = given;
  const base = { modelPath, gridEncoder, maxSeqLen };
  const adapterPath = await trainedAdapter(given);
  using model = await openModel({ ...base, adapterPath });
  expect(model.isMerged).toBe(true);
  const tasks = loadTasks(datasetPath);
  for (const adapter of [adapterPath, null, adapterPath]) {
    await model.useAdapter(adapter);
    const options = { ...base, datasetPath, ...(adapter === null ? {} : { adapterPath: adapter }) };
    const outputPath = join(folder, 'inference.json');
    const predicted = await infer({ ...options, ...decoding, outputPath });
    const held = join(folder, 'held.json');
    const { predictions } = await model.infer(tasks, { ...decoding, outputPath: held });
    expect(predictions).toEqual(predicted.predictions);
    for (const suffix of ['', '_task_results']) {
      const [a, b] = ['inference', 'held'].map((name) => readFileSync(join(folder, `${name}${suffix}.json`)));
      expect(b).toEqual(a);
    }
    const scored = await score({ ...options, promptVersion: mini, augmentations: 2 });
    expect(await model.score(loadDataset(datasetPath), { promptVersion: mini, augmentations: 2 })).toEqual(
      scored,
    );
    const drawing = { promptVersion: 'input-from-inputs-mini', n: 3, maxNewTokens: 12 };
    const drawn = await generateInputs({ ...options, ...drawing });
    expect(await model.generateInputs(datasetPath, drawing)).toEqual(drawn);
  }
});

test('scores given predictions as it scores those of a file', async () => {
  const { folder, datasetPath, ...base } = files();
  const outputPath = join(folder, 'inference.json');
  using model = await openModel(base);
  const { predictions } = await model.infer(datasetPath, { ...decoding, constrained: true, outputPath });
  const options = { promptVersion: mini, augmentations: 2 };
  const inputPath = join(folder, 'inference_task_results.json');
  const ofFile = await score({ ...base, ...options, datasetPath, inputPath });
  expect((await model.score(datasetPath, { ...options, predictions })).predictions).toEqual(
    ofFile.predictions,
  );
});

test('without an adapter the weights are those of a fresh load, bit for bit, whatever was before', async () => {
  const given = files();
  const { datasetPath, folder: _, ...base } = given;
  const adapterPath = await trainedAdapter(given);
  const fresh = await loadDecoder(base.modelPath);
  const expected = await weightsOf(fresh);
  fresh.dispose();
  using model = await openModel(base);
  await model.useAdapter(adapterPath);
  await model.infer(datasetPath, decoding);
  await model.fineTune({ trainDatasets: [[datasetPath, mini]], maxSteps: 2, batchSize: 2, maxSeqLen: 512 });
  await model.useAdapter(null);
  expect(await weightsOf(model.decoder)).toEqual(expected);
});

test('fine-tunes in memory to the adapter that fine-tuning writes, from none and from one', async () => {
  const given = files();
  const { folder, datasetPath, ...base } = given;
  const settings = { maxSteps: 3, batchSize: 2, maxSeqLen: 512, learningRate: 1e-2, lora: { r: 2 } };
  const pairs = [[datasetPath, mini]] as const;
  const written = async (outputDir: string, adapterPath?: string) => {
    const options = { ...base, ...settings, outputDir, trainDatasets: pairs, workers: 0 };
    return (await fineTune(adapterPath === undefined ? options : { ...options, adapterPath })).checkpoint;
  };
  const first = await written(join(folder, 'first'));
  const second = await written(join(folder, 'second'), first);
  using model = await openModel(base);
  const adapterOf = (path: string) => readFileSync(join(path, 'adapter_model.safetensors'));
  for (const [i, checkpoint] of [first, second].entries()) {
    // the second time with the data set itself
    const data = i === 0 ? datasetPath : loadDataset(datasetPath);
    const { steps, history } = await model.fineTune({ ...settings, trainDatasets: [[data, mini]] });
    expect(steps).toBe(3);
    expect(history.train).toHaveLength(1);
    const saved = join(folder, `saved-${i}`);
    const { weight } = model.decoder.projections()[0]!;
    await model.saveAdapter(saved);
    // nothing is attached anew for it
    expect(model.decoder.projections()[0]!.weight).toBe(weight);
    expect(adapterOf(saved)).toEqual(adapterOf(checkpoint));
  }
  // what a session learnt can be put back
  const learnt = model.adapter;
  await model.useAdapter(null);
  const [plain] = (await model.infer(datasetPath, decoding)).predictions;
  await model.useAdapter(learnt);
  const [taught] = (await model.infer(datasetPath, decoding)).predictions;
  expect(taught!.text).not.toBe(plain!.text);
  expect(readdirSync(folder).filter((name) => name.startsWith('checkpoint'))).toEqual([]);
});

test('keeps its memory over many adapters and trainings', async () => {
  const given = files();
  const { datasetPath, folder: _, ...base } = given;
  const adapterPath = await trainedAdapter(given);
  using model = await openModel(base);
  const round = async () => {
    await model.useAdapter(adapterPath);
    await model.infer(datasetPath, { ...decoding, predictionsPerTask: 1 });
    await model.fineTune({ trainDatasets: [[datasetPath, mini]], maxSteps: 1, batchSize: 1, maxSeqLen: 512 });
    await model.useAdapter(null);
  };
  await round();
  const { numTensors, numBytes } = tf.memory();
  for (let i = 0; i < 10; i++) await round();
  expect(tf.memory()).toMatchObject({ numTensors, numBytes });
});

test('refuses what cannot be, and is as it was before', async () => {
  const given = files();
  const { datasetPath, folder, ...base } = given;
  const adapterPath = await trainedAdapter(given);
  const model = await openModel({ ...base, adapterPath });
  const before = model.adapter;
  await expect(model.infer(datasetPath, { predictionPerTask: 1 } as object)).rejects.toThrow(
    '`predictionPerTask`: there is no such option here; did you mean `predictionsPerTask`?',
  );
  await expect(model.useAdapter(join(folder, 'none'))).rejects.toThrow(/none: no such/);
  const other = {
    ...before!,
    modules: new Map([['model.layers.9.mlp.up_proj', [...before!.modules.values()][0]!]]),
  };
  await expect(model.useAdapter(other)).rejects.toThrow('there is no projection model.layers.9.mlp.up_proj');
  const trainDatasets = [[datasetPath, mini]] as const;
  await expect(model.fineTune({ trainDatasets, maxSteps: 0 })).rejects.toThrow(
    '`maxSteps`: expected an integer',
  );
  await expect(model.fineTune({ trainDatasets, maxSteps: 1, useLora: false } as never)).rejects.toThrow(
    '`useLora`: there is no such option here',
  );
  expect(model.adapter).toBe(before);
  const busy = model.infer(datasetPath, decoding);
  await expect(model.useAdapter(null)).rejects.toThrow(
    'useAdapter: the model is busy with infer; await that first',
  );
  await busy;
  model.dispose();
  model.dispose();
  await expect(model.infer(datasetPath)).rejects.toThrow('the model was closed');
  await expect(openModel({ ...base, adapterPath: join(folder, 'none') })).rejects.toThrow(/none: no such/);
  expect(existsSync(join(folder, 'checkpoint-1'))).toBe(false);
});

test('stops when it is told to, and can be asked again', async () => {
  const { datasetPath, folder: _, ...base } = files();
  using model: ModelSession = await openModel(base);
  const signal = AbortSignal.abort();
  await expect(model.infer(datasetPath, { ...decoding, signal })).rejects.toThrow(/^stopped/);
  const { interrupted, steps } = await model.fineTune({
    trainDatasets: [[datasetPath, mini]],
    maxSteps: 5,
    maxSeqLen: 512,
    signal,
  });
  expect([interrupted, steps]).toEqual([true, 0]);
  expect((await model.infer(datasetPath, decoding)).predictions.length).toBeGreaterThan(0);
});
