/** Training samples of prompts with code and with candidates. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { gridKey } from '../../src/arc/grid.js';
import type { Task } from '../../src/arc/types.js';
import { loadTokenizer } from '../../src/prompts/index.js';
import { auditStream } from '../../src/training/audit.js';
import { auditFindings } from '../../src/training/audit-findings.js';
import { validationSet } from '../../src/training/sample-source.js';
import {
  buildPairs,
  loadPairs,
  openSampleSource,
  type TrainingDataSpec,
} from '../../src/training/training-data.js';
import { recolourTasks, writeTasks } from './tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-judged-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tokenizerFolder = fileURLToPath(new URL('../prompts/fixtures/own', import.meta.url));
const tokenizer = loadTokenizer(tokenizerFolder);

const tasks = Object.fromEntries(
  Object.entries(recolourTasks(4)).map(([id, task]): [string, Task] => [
    id,
    { ...task, code: `code of ${id}` },
  ]),
);
const path = writeTasks(join(folder, 'tasks.json'), tasks);

const specOf = (...kinds: string[]): TrainingDataSpec => ({
  pairs: kinds.map((kind) => [path, kind] as const),
  lossWeights: {},
  gridEncoder: 'MinimalGridEncoder()',
  seed: 3,
  lossOn: 'last-answer',
  maxSeqLen: 4096,
  removeTrainSamplesToFitMaxSeqLen: false,
  swapTrainAndTest: true,
  geometricAugmentation: true,
  colorAugmentation: true,
  orderAugmentation: true,
  taskAugmentation: 0.5,
  taskAugmentationWeights: {},
  tokenizerFolder,
});

/** The answers of the first samples of a stream, as text. */
function answers(spec: TrainingDataSpec, count: number): string[] {
  const source = openSampleSource(spec, tokenizer);
  return Array.from({ length: count }, (_, i) => {
    const item = source.item(i);
    if ('tooLong' in item) throw new Error('too long');
    const [start, end] = item.labelSpans.at(-1)!;
    return tokenizer.decode([...item.tokens.slice(start, end - 1)]);
  });
}

test('half of the judged outputs are right, and both places of a choice are', () => {
  for (const [kind, words] of [
    ['verify-output-from-examples-v0', ['yes', 'no']],
    ['select-output-from-examples-v0', ['1', '2']],
  ] as const) {
    const found = answers(specOf(kind), 200);
    expect([...new Set(found)].sort()).toEqual([...words].sort());
    expect(found.filter((word) => word === words[0]).length).toBeGreaterThan(70);
    expect(found.filter((word) => word === words[0]).length).toBeLessThan(130);
    expect(answers(specOf(kind), 200)).toEqual(found);
  }
});

test("a data set's own wrong candidates come before made ones, changed as its grids are", () => {
  const wrong = [[7, 7, 7, 7, 7]];
  const judged = Object.fromEntries(
    Object.entries(tasks).map(([id, task]) => [
      id,
      { ...task, test: task.test.map((sample) => ({ ...sample, candidates: [wrong, sample.output!] })) },
    ]),
  );
  const own = writeTasks(join(folder, 'judged.json'), judged);
  const kind = 'select-output-from-examples-v0';
  const spec = { ...specOf(), pairs: [[own, kind] as const], swapTrainAndTest: false, taskAugmentation: 0 };
  const source = openSampleSource(spec, tokenizer);
  const shapes = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const { task, testIndex } = source.draw(i);
    const { output, candidates } = task.test[testIndex]!;
    const other = candidates!.find((grid) => gridKey(grid) !== gridKey(output!))!;
    expect(new Set(other.flat()).size).toBe(1);
    shapes.add([other.length, other[0]!.length].join('x'));
  }
  expect([...shapes].sort()).toEqual(['1x5', '5x1']);
});

test('tasks whose code is shown keep grids, colours and rule, beside others that do not', () => {
  const source = openSampleSource(specOf('output-from-code-v0', 'output-from-examples-v1'), tokenizer);
  const originals = new Set(
    Object.values(tasks).flatMap(({ train, test }) => [...train, ...test].map(({ input }) => gridKey(input))),
  );
  const changed = { 'output-from-code-v0': 0, 'output-from-examples-v1': 0 };
  for (let i = 0; i < 200; i++) {
    const { pair, task } = source.draw(i);
    const same = [...task.train, ...task.test].every(({ input }) => originals.has(gridKey(input)));
    if (!same) changed[pair.kind as keyof typeof changed]++;
  }
  expect(changed['output-from-code-v0']).toBe(0);
  expect(changed['output-from-examples-v1']).toBeGreaterThan(80);
});

test('the audit finds nothing wrong with them', async () => {
  const kinds = [
    'code-from-examples-v0',
    'output-from-code-v0',
    'verify-output-from-examples-v0',
    'select-output-from-examples-v0',
  ];
  for (const swapTrainAndTest of [true, false]) {
    const spec = { ...specOf(...kinds), swapTrainAndTest };
    const audit = await auditStream(openSampleSource(spec, tokenizer), {
      wanted: 800,
      endOfTurnId: tokenizer.endOfTurnId,
    });
    const findings = auditFindings(audit, spec);
    expect(findings.filter(({ severity }) => severity === 'hole')).toEqual([]);
    // code is no sample, and inputs beside code are
    const targets = audit.pairs.map(({ tasks: list }) => list.flatMap(({ test: { targets } }) => targets));
    expect(targets[0]!.every((count) => count === 0)).toBe(true);
    expect(targets[1]!.every((count) => count > 0)).toBe(true);
  }
});

test('validation judges the same candidates each time', () => {
  const spec = specOf('verify-output-from-examples-v0', 'code-from-examples-v0');
  const pairs = buildPairs(spec.pairs, spec, tokenizer, loadPairs(spec.pairs));
  const options = {
    seed: 1,
    lossOn: 'last-answer',
    maxSeqLen: 4096,
    removeTrainSamplesToFitMaxSeqLen: false,
  } as const;
  const [first, second] = [validationSet(pairs, options), validationSet(pairs, options)];
  expect(first.samples).toHaveLength(8);
  expect(second).toEqual(first);
});

test.each([
  [
    'output-from-code-v0',
    { a: { train: tasks.task0!.train, test: tasks.task0!.test } },
    'task a has no code',
  ],
  ['verify-output-from-examples-v0', { a: { ...tasks.task0!, test: [{ input: [[1]] }] } }, 'is not known'],
])('%s refuses a data set that lacks what it needs', (kind, data, message) => {
  const file = writeTasks(join(folder, 'lacking.json'), data);
  expect(() => loadPairs([[file, kind]])).toThrow(message);
});

test('code may be asked for where test outputs are not known', () => {
  const file = writeTasks(join(folder, 'challenge.json'), {
    a: { ...tasks.task0!, test: [{ input: [[1]] }] },
  });
  expect(loadPairs([[file, 'code-from-examples-v0']]).size).toBe(1);
});
