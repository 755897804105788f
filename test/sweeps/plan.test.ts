/** What a description makes: which runs, with which options, and what is refused before anything starts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { combinationsOf } from '../../src/sweeps/combinations.js';
import { checkDescription } from '../../src/sweeps/description.js';
import { planSweep, rungSteps } from '../../src/sweeps/plan.js';
import { partsOfShard, shardOf } from '../../src/sweeps/shard.js';
import { sweep } from '../../src/sweeps/sweep.js';
import { recolourTasks, writeTasks, writeTinyModel } from '../training/tiny.js';

let kept = '';

beforeAll(() => {
  kept = mkdtempSync(join(tmpdir(), 'arclab-plan-'));
  writeTinyModel(join(kept, 'model'));
  writeTasks(join(kept, 'train.json'), recolourTasks(4));
  return () => rmSync(kept, { recursive: true });
});

const description = (more: object = {}, fineTune: object = {}) =>
  checkDescription(
    {
      outputDir: join(kept, 'out'),
      fineTune: {
        modelPath: join(kept, 'model'),
        trainDatasets: [[join(kept, 'train.json'), 'output-from-examples-mini']],
        valDataset: [[join(kept, 'train.json'), 'output-from-examples-mini']],
        maxSteps: 8,
        evalSteps: 1,
        ...fineTune,
      },
      ...more,
    },
    'sweep.json',
    kept,
  );

const planOf = (more: object = {}, fineTune: object = {}) =>
  planSweep(description(more, fineTune), 'sweep.json');

describe('combinations', () => {
  const of = (more: object) => combinationsOf(description(more), 'sweep.json');

  test('a grid has all of them, in order', () => {
    expect(of({ parameters: { a: [1, 2], b: ['x', 'y'] } })).toEqual([
      { a: 1, b: 'x' },
      { a: 1, b: 'y' },
      { a: 2, b: 'x' },
      { a: 2, b: 'y' },
    ]);
    expect(of({})).toEqual([{}]);
  });

  test('more than a plan holds are refused before they are made', () => {
    const values = Array.from({ length: 1000 }, (_, i) => i);
    const parameters = { a: values, b: values, c: values, d: values };
    expect(() => of({ parameters })).toThrow('expected at most 100000 combinations, found 1000000000000');
    expect(() => of({ method: 'random', runs: 1e9 })).toThrow('found 1000000000');
  });

  test('random draws are those of the seed; more of them begin with the same; ranges are kept to', () => {
    const parameters = { rate: { min: 1e-5, max: 1e-3, scale: 'log' }, r: { min: 2, max: 9, integer: true } };
    const draw = (runs: number, seed = 0) => of({ method: 'random', runs, seed, parameters });
    const many = draw(200);
    expect(many.slice(0, 5)).toEqual(draw(5));
    expect(draw(5, 1)).not.toEqual(draw(5));
    const rates = many.map(({ rate }) => rate as number).sort((a, b) => a - b);
    expect(rates[0]).toBeGreaterThanOrEqual(1e-5);
    expect(rates.at(-1)).toBeLessThanOrEqual(1e-3);
    // half of a logarithmic range lies below its geometric mean
    expect(rates.filter((rate) => rate < 1e-4).length / rates.length).toBeCloseTo(0.5, 0);
    expect(new Set(many.map(({ r }) => r))).toEqual(new Set([2, 3, 4, 5, 6, 7, 8, 9]));
  });
});

describe('the plan', () => {
  test('parameters set options of either flow; trainings that only differ in their evaluation are one', () => {
    const plan = planOf({
      inferEvaluate: { predictionsPerTask: 2 },
      parameters: { loraR: [2, 4], temperature: [0, 0.5], 'inferEvaluate.seed': [3] },
    });
    expect(plan.runs).toHaveLength(4);
    const kinds = (kind: string) => plan.parts.filter((part) => part.kind === kind);
    expect(kinds('fine-tune').map(({ options }) => (options.lora as { r: number }).r)).toEqual([2, 4]);
    expect(kinds('infer-evaluate').map(({ options }) => options.temperature)).toEqual([0, 0.5, 0, 0.5]);
    expect(kinds('infer-evaluate')[0]!.options).toMatchObject({ seed: 3, predictionsPerTask: 2 });
    expect(kinds('fine-tune')[0]!.options).not.toHaveProperty('seed');
    for (const { id, needs } of plan.parts) {
      const earlier = plan.parts.slice(
        0,
        plan.parts.findIndex((part) => part.id === id),
      );
      expect(earlier.map((part) => part.id)).toEqual(expect.arrayContaining([...needs]));
    }
  });

  test('every path is relative to the description, wherever it is started', () => {
    const pair = ['train.json', 'output-from-examples-mini'];
    const of = (fineTune: object, more: object = {}) =>
      planSweep(checkDescription({ outputDir: 'out', fineTune, ...more }, 'sweep.json', kept), 'sweep.json');
    const steps = { maxSteps: 8, evalSteps: 1 };
    const relative = { modelPath: 'model', trainDatasets: [pair], valDataset: [pair], ...steps };
    const more = {
      inferEvaluate: { datasetPath: 'train.json' },
      variants: [{ name: 'a', fineTune: { adapterPath: 'model' } }],
    };
    const [training, evaluation] = of(relative, more).parts;
    expect(training!.options).toMatchObject({
      modelPath: join(kept, 'model'),
      adapterPath: join(kept, 'model'),
      trainDatasets: [[join(kept, 'train.json'), pair[1]]],
      valDataset: [[join(kept, 'train.json'), pair[1]]],
    });
    expect(evaluation!.options.datasetPath).toBe(join(kept, 'train.json'));
    // the same as absolute ones
    expect(of(relative).parts[0]!.id).toBe(planOf().parts[0]!.id);
    // of the hub
    const id = 'somebody/some-model';
    expect(of({ ...relative, modelPath: id }).parts[0]!.options.modelPath).toBe(id);
    // from the folder of this process
    expect(() => of({ ...relative, modelPath: 'src' })).toThrow(
      /^sweep.json: fineTune: "modelPath": paths of a sweep are relative to its description: there is no .*src, but a /,
    );
  });

  test('a description that has grown has the same parts and more; other data make other parts', () => {
    const ids = (values: number[]) => planOf({ parameters: { loraR: values } }).parts.map(({ id }) => id);
    expect(ids([2, 4, 8])).toEqual(expect.arrayContaining(ids([2, 4])));
    const before = ids([2]);
    writeTasks(join(kept, 'train.json'), recolourTasks(5));
    expect(ids([2])).not.toEqual(before);
  });

  test('a variant goes on from another one with the same parameters', () => {
    const plan = planOf({
      parameters: { loraR: [2, 4] },
      variants: [{ name: 'first' }, { name: 'second', after: 'first', fineTune: { learningRate: 1e-5 } }],
    });
    const [a, b, c, d] = plan.parts;
    expect([c!.needs, d!.needs]).toEqual([[a!.id], [b!.id]]);
    expect(c!.model).toBe(a!.id);
    expect(c!.options.learningRate).toBe(1e-5);
  });

  test('halving: budgets grow as runs get fewer, and every rung but the last waits at a validation', () => {
    const plan = planOf({ parameters: { loraR: [1, 2, 3, 4] }, halving: { rungs: 3 } });
    expect(plan.parts.map(({ kind, stopAt, keep }) => [kind, stopAt ?? keep])).toEqual([
      ...Array.from({ length: 4 }, () => ['fine-tune', 2]),
      ['choose', 2],
      ...Array.from({ length: 4 }, () => ['fine-tune', 4]),
      ['choose', 1],
      ...Array.from({ length: 4 }, () => ['fine-tune', undefined]),
    ]);
    expect(rungSteps({ maxSteps: 1000, evalSteps: 100 }, { rungs: 3 }, '')).toEqual([300, 500]);
  });

  test.each([
    [{ paramters: {} }, {}, /^sweep.json: there is no "paramters" in a sweep; did you mean parameters\?$/],
    [{ parameters: { loraRR: [1] } }, {}, /parameters: there is no option "loraRR"; did you mean "/],
    [
      { parameters: { learningRte: [1] } },
      {},
      /there is no option "learningRte"; did you mean "learningRate"\?/,
    ],
    [{ parameters: { outputDir: ['a'] } }, {}, /there is no option "outputDir"/],
    [
      { parameters: { temperature: [1] } },
      {},
      /"temperature" is for infer-evaluate, which this sweep does not run/,
    ],
    [{ parameters: { loraR: [] } }, {}, /"loraR": expected at least one value, found \[\]/],
    [
      { parameters: { loraR: { min: 1, max: 2 } } },
      {},
      /expected a list of values \(a range is for "method": "random"\)/,
    ],
    [
      { parameters: { loraR: [0] } },
      {},
      /sweep.json: fineTune: "lora.r": expected an integer of at least 1, found 0/,
    ],
    [
      {},
      { learningRat: 1 },
      /fineTune: "learningRat": there is no such option here; did you mean "learningRate"\?/,
    ],
    [{}, { trainDatasets: [['nowhere.json', 'output-from-examples-mini']] }, /nowhere.json/],
    [{}, { outputDir: 'x' }, /fineTune: "outputDir" is given by the sweep itself/],
    [{ inferEvaluate: { temprature: 1 } }, {}, /inferEvaluate: "temprature".* did you mean "temperature"\?/],
    [{ method: 'random' }, {}, /runs is missing/],
    [{ halving: { rungs: 1 } }, {}, /halving: rungs: expected an integer of at least 2, found 1/],
    [
      { halving: { rungs: 3 }, parameters: { loraR: [1, 2] } },
      { evalSteps: 8 },
      /halving: 3 rungs of 8 steps need/,
    ],
    [{ halving: { rungs: 2 }, parameters: { loraR: [1, 2] } }, { valDataset: [] }, /needs a validation loss/],
    [{ variants: [{ name: 'a', after: 'b' }] }, {}, /"a" is after "b", which is not before it/],
  ])('%j and %j are refused in one line', (more, fineTune, message) => {
    let said = '';
    try {
      planOf(more, fineTune);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said).toMatch(message);
    expect(said).not.toContain('\n');
  });
});

describe('shards', () => {
  test('together they have every part once, and runs that need each other stay together', () => {
    const plan = planOf({
      inferEvaluate: {},
      parameters: { loraR: [1, 2, 3, 4, 5] },
      variants: [{ name: 'first' }, { name: 'second', after: 'first' }],
    });
    const shards = [1, 2, 3].map((index) => partsOfShard(plan, { index, count: 3 }));
    expect(
      shards
        .flat()
        .map(({ id }) => id)
        .sort(),
    ).toEqual(plan.parts.map(({ id }) => id).sort());
    for (const parts of shards) {
      const ids = parts.map(({ id }) => id);
      for (const { needs } of parts) expect(ids).toEqual(expect.arrayContaining([...needs]));
    }
  });

  test.each([
    ['2/3', {}, { index: 2, count: 3 }],
    [undefined, {}, undefined],
    [undefined, { ID: '7', COUNT: '4', MIN: '5' }, { index: 3, count: 4 }],
    [undefined, { ID: '0', COUNT: '4', MIN: '0' }, { index: 1, count: 4 }],
    ['1/2', { ID: '7', COUNT: '4', MIN: '5' }, { index: 1, count: 2 }],
  ])('%s in %j is %j', (text, slurm, expected) => {
    const environment = Object.entries(slurm).map(([name, value]) => [`SLURM_ARRAY_TASK_${name}`, value]);
    expect(shardOf(text, Object.fromEntries(environment))).toEqual(expected);
  });

  test.each(['0/2', '3/2', '1', 'a/b'])('%s is refused', (text) => {
    expect(() => shardOf(text, {})).toThrow(/`shard`: expected i\/n/);
  });

  test('with halving runs wait for each other', () => {
    const plan = planOf({ parameters: { loraR: [1, 2, 3] }, halving: { rungs: 2 } });
    expect(() => partsOfShard(plan, { index: 1, count: 2 })).toThrow(
      /with halving the runs wait for each other/,
    );
  });
});

test.each([{ wait: true }, { retries: 1 }, { queueName: 'mine' }])(
  '%j means nothing without a queue',
  async (option) => {
    const [name] = Object.keys(option);
    await expect(sweep({ description: description(), ...option })).rejects.toThrow(
      `\`${name}\`: it needs \`queue\``,
    );
  },
);
