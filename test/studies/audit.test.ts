import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { nMinusOne, saveDataset } from '../../src/arc/dataset.js';
import type { Sample, Task } from '../../src/arc/types.js';
import { main } from '../../src/cli/main.js';
import type { Rng } from '../../src/common/rng.js';
import { fineTune } from '../../src/experiments/fine-tune.js';
import { auditTraining } from '../../src/studies/audit.js';
import { catchPrinted } from '../cli/printed.js';
import { temporaryFolder } from '../training/temporary.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

const swap = vi.hoisted(() => ({ isBroken: false }));

vi.mock('../../src/arc/augmentation.js', async (original) => {
  const real = await original<typeof import('../../src/arc/augmentation.js')>();
  return {
    ...real,
    /**
     * The mistake of the reference experiment: a train sample takes the place of the test sample, which is shown from
     * then on; no test sample is ever the one that is asked for.
     */
    swapTrainAndTest(task: Task, rng: Rng): Task {
      if (!swap.isBroken) return real.swapTrainAndTest(task, rng);
      const [target, ...others] = rng.shuffle(task.train);
      return { train: [...others, ...(task.test as readonly Sample[])], test: [target!] };
    },
  };
});

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  swap.isBroken = false;
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

function options(tasks = 6) {
  return {
    modelPath: writeTinyModel(join(folder, 'model')),
    trainDatasets: [
      [writeTasks(join(folder, 'tasks.json'), recolourTasks(tasks)), 'output-from-examples-mini'],
    ],
    gridEncoder: 'MinimalGridEncoder()',
    maxSteps: 20,
    batchSize: 4,
    maxSeqLen: 400,
  } as const;
}

const command = ({
  modelPath,
  trainDatasets: [[path, kind]],
  maxSteps,
  ...o
}: ReturnType<typeof options>) => [
  ...['audit', '--model_path', modelPath, '--train_datasets', path, kind, '--grid_encoder', o.gridEncoder],
  ...['--max_steps', String(maxSteps), '--batch_size', '4', '--max_seq_len', '400'],
];

describe('a swap that never makes a test sample the target', () => {
  test('is a hole, which ends the command with code 1', async () => {
    const printed = catchPrinted();
    const words = command(options());
    expect(await main(words)).toBe(0);
    expect(printed.text).toContain('no holes');
    process.exitCode = undefined;
    printed.text = '';
    swap.isBroken = true;
    expect(await main(words)).toBe(1);
    expect(printed.text).toMatch(
      /HOLE.* tasks \(output-from-examples-mini\): none of the 6 test samples is ever a target in 80 samples, about 0 would be by chance/,
    );
    expect(printed.text).toMatch(/tasks +output-from-examples-mini +test +6 +0 +6 +0/);
  });

  test('is told in a line of its own when a run begins', async () => {
    const notes: string[] = [];
    const run = async (outputDir: string) => {
      notes.length = 0;
      await fineTune({
        ...options(),
        outputDir: join(folder, outputDir),
        maxSteps: 2,
        batchSize: 40,
        workers: 0,
        lora: { r: 1 },
        onEvent: (event) => event.type === 'note' && notes.push(event.text),
      });
    };
    await run('sound');
    const line = 'training stream, all 80 samples: tasks (output-from-examples-mini) 6 of 6 tasks, targets';
    expect(notes).toContainEqual(`${line} 17 of 18 train samples and 6 of 6 test samples`);
    expect(notes.join('\n')).not.toContain('HOLE');
    swap.isBroken = true;
    await run('broken');
    expect(notes).toContainEqual(`${line} 18 of 18 train samples and 0 of 6 test samples`);
    expect(notes.filter((note) => note.startsWith('HOLE in the training: '))).toHaveLength(1);
  });
});

test('train samples of tasks that are to be solved are each a target once their task is drawn as n−1 tasks', async () => {
  const path = join(folder, 'n_minus_one.json');
  const tasks = new Map(Object.entries(recolourTasks(3)).map(([id, task]) => [id, [task]]));
  saveDataset(path, nMinusOne(tasks));
  const outputPath = join(folder, 'audit.json');
  const result = await auditTraining({
    ...options(),
    trainDatasets: [[path, 'output-from-examples-mini']],
    swapTrainAndTest: false,
    outputPath,
  });
  expect(result.findings).toEqual([
    {
      kind: 'never-target',
      severity: 'note',
      text: expect.stringMatching(
        /train samples are shown and never targets, as `swapTrainAndTest: false` asks/,
      ),
    },
  ]);
  expect(result.pairs[0]!.tasks).toHaveLength(9);
  expect(result.pairs[0]!.tasks.every(({ test: tests }) => tests.targets[0]! > 0)).toBe(true);
  expect(JSON.parse(readFileSync(outputPath, 'utf8'))).toEqual(result);
});

test('what a training would refuse is refused, and a stop is told', async () => {
  await expect(
    auditTraining({ ...options(), trainDatasets: [['no.json', 'output-from-examples-mini']] }),
  ).rejects.toThrow(/no\.json/);
  await expect(auditTraining({ ...options(), maxSteps: 0 })).rejects.toThrow(/`maxSteps/);
  const signal = AbortSignal.abort();
  await expect(auditTraining({ ...options(), signal })).rejects.toThrow(/stopped: the same command/);
  const few = await auditTraining({ ...options(), maxSamples: 30 });
  expect(few.findings).toEqual([
    { kind: 'walk', severity: 'note', text: "30 samples of the run's 80 were looked at" },
  ]);
});
