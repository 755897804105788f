import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { CommandTable } from '../../src/cli/command.js';
import { commands } from '../../src/cli/commands.js';
import { declareCommand, spellFlags } from '../../src/cli/flags.js';
import { packageRoot } from '../../src/common/files.js';
import { nearestName, OptionError, spellOptions } from '../../src/common/option-names.js';
import { flows } from '../../src/options/index.js';
import { inferOptions } from '../../src/options/inference.js';
import { experimentOptions, submitOptions } from '../../src/options/submit.js';
import { defineOptions, leavesOf, type OptionSpec, type OptionTable } from '../../src/options/table.js';

describe.each(Object.entries(flows))('the table of %s', (_, options) => {
  const entries = Object.entries<OptionSpec>(options.table);

  it('has defaults that it accepts itself', () => {
    expect(options.given(options.defaults)).toEqual(options.defaults);
  });

  it('says of every option what it is, in one line without a full stop', () => {
    for (const {
      name,
      spec: { description },
    } of leavesOf(options.table)) {
      expect(description, name).toMatch(/^\S.*[^.\s]$/);
      expect(description, name).not.toContain('\n');
    }
  });

  it('refuses what it does not know, and names the nearest', () => {
    for (const [name] of entries) {
      if (name.length < 7) continue;
      const misspelled = `${name.slice(0, 2)}${name.slice(3)}`;
      if (misspelled in options.table) continue;
      expect(() => options.given({ [misspelled]: 1 }), misspelled).toThrow(`did you mean \`${name}\`?`);
    }
  });

  it('refuses values of another type', () => {
    for (const [name, spec] of entries) {
      const wrong = spec.type === 'boolean' || spec.type === 'object' ? 'no' : { a: 1 };
      expect(() => options.given({ [name]: wrong }), name).toThrow(OptionError);
      expect(() => options.given({ [name]: Number.NaN }), name).toThrow(OptionError);
    }
  });

  it('counts undefined as not given, and null as a mistake', () => {
    const [first] = entries[0]!;
    expect(options.given({ [first]: undefined })).toEqual({});
    expect(() => options.given({ [first]: null })).toThrow(`\`${first}\`: expected`);
  });
});

test('an error is data: the option, what was expected and found, and what to do', () => {
  let error: unknown;
  try {
    inferOptions.check({ modelPath: 'm', datasetPath: 'd', outputPath: 'o', topP: 1.5 });
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({
    name: 'OptionError',
    option: 'topP',
    expected: 'a number above 0 and at most 1',
    found: 1.5,
  });
  expect(() => inferOptions.check({ modelPath: 'm', datasetPath: 'd' })).toThrow(
    '`outputPath`: it is missing',
  );
});

test('a name of an earlier version is taken, with a note', () => {
  const options = defineOptions({
    dtype: { type: 'string', description: 'type', formerly: ['torchDtype'] },
  });
  const notes: string[] = [];
  expect(options.check({ torchDtype: 'bfloat16' }, (text) => notes.push(text))).toEqual({
    dtype: 'bfloat16',
  });
  expect(notes).toEqual(['`torchDtype` is now called `dtype`']);
  expect(() => options.check({ torchDtype: 'a', dtype: 'b' })).toThrow('`dtype`: it is given twice');
});

test('files are named by one suffix in every flow, and by the longer one with a note', () => {
  const files = Object.entries(flows).flatMap(([flow, { table }]) =>
    leavesOf(table as OptionTable)
      .filter(({ name }) => /path(s|es)?$/i.test(name))
      .map(({ name, spec }) => ({ flow, name, formerly: spec.formerly })),
  );
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter(({ name }) => /file/i.test(name))).toEqual([]);
  const renamed = files.filter(({ name }) => /^(output|input|html|inference|submission)Path/.test(name));
  expect(renamed.length).toBeGreaterThan(15);
  for (const { flow, name, formerly } of renamed) {
    expect(formerly, `${flow}.${name}`).toEqual([name.replace('Path', 'Filepath')]);
  }
});

test('an object of options is filled in and checked part by part', () => {
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const options = defineOptions({
    lora: {
      type: 'object',
      description: 'a fresh adapter',
      parts: {
        r: { type: 'integer', minimum: 1, default: 32, formerly: ['loraR'], description: 'rank' },
        alpha: { type: 'number', default: 64, description: 'factor' },
        names: { type: 'array', items: { type: 'string' }, description: 'projections' },
      },
    },
  });
  expect(options.defaults).toEqual({ lora: { r: 32, alpha: 64 } });
  expect(options.check({})).toEqual({ lora: { r: 32, alpha: 64 } });
  expect(options.check({ lora: { r: 8, names: undefined } })).toEqual({ lora: { r: 8, alpha: 64 } });
  expect(options.given({ lora: { alpha: 1 } })).toEqual({ lora: { alpha: 1 } });
  expect(options.check({ loraR: 4, lora: { alpha: 8 } }, note)).toEqual({ lora: { r: 4, alpha: 8 } });
  expect(notes).toEqual(['`loraR` is now called `lora.r`']);
  // the caller's object is left as it is
  const given = { lora: { alpha: 8 }, loraR: 4 };
  options.check(given);
  expect(given).toEqual({ lora: { alpha: 8 }, loraR: 4 });
  expect(() => options.check({ lora: { r: 0 } })).toThrow(
    '`lora.r`: expected an integer of at least 1, found 0',
  );
  expect(() => options.check({ lora: null })).toThrow('`lora`: expected an object with r, alpha, names');
  expect(() => options.check({ lora: { alhpa: 1 } })).toThrow(
    '`lora.alhpa`: there is no such option here; did you mean `lora.alpha`?',
  );
});

test('a name that ends as those of files do is answered with the names of files where none is like it', () => {
  const options = defineOptions({
    inputPath: { type: 'string', value: 'file', description: 'in' },
    outputPath: { type: 'string', value: 'file', description: 'out' },
    n: { type: 'integer', description: 'count' },
  });
  expect(() => options.given({ predictionPath: 'a.json' })).toThrow(
    '`predictionPath`: there is no such option here; files are `inputPath`, `outputPath`',
  );
  expect(() => options.given({ winners: 2 })).toThrow(/here$/);
});

test('options that an earlier version saved get names and defaults of today, and keep what is not known', () => {
  const options = defineOptions({
    dtype: { type: 'string', description: 'type', formerly: ['torchDtype'] },
    minP: { type: 'number', default: 0, description: 'newer than what was saved' },
  });
  expect(options.upgrade({ torchDtype: 'float16', gone: 1 })).toEqual({ dtype: 'float16', minP: 0, gone: 1 });
});

test('a value of an earlier version is taken, with a note', () => {
  const options = defineOptions({
    lossOn: {
      type: 'string',
      enum: ['last-answer'],
      description: 'labels',
      formerValues: { answer: 'last-answer' },
    },
  });
  const notes: string[] = [];
  const check = (lossOn: string) => options.check({ lossOn }, (text) => notes.push(text));
  expect([check('answer'), check('last-answer')]).toEqual([
    { lossOn: 'last-answer' },
    { lossOn: 'last-answer' },
  ]);
  expect(notes).toEqual(['`lossOn: answer` is now `lossOn: last-answer`']);
  expect(() => check('toString')).toThrow('`lossOn`: expected one of last-answer, found "toString"');
});

test('a Kaggle configuration may set an experiment, and not where things are', () => {
  const surroundings = Object.keys(submitOptions.table).filter((name) => !(name in experimentOptions.table));
  expect(surroundings.sort()).toEqual(
    ['adapterPath', 'backend', 'challengesPath', 'modelPath', 'outputDir', 'resume', 'timeBudget'].sort(),
  );
  expect(() => experimentOptions.given({ modelPath: 'm' })).toThrow('there is no such option here');
});

describe('options in a message', () => {
  it('are flags on the command line, and stay what they are elsewhere', () => {
    expect(spellFlags('`maxSeqLen: 8192`: too long; raise `maxSeqLen`, or add `pruneVocab`')).toBe(
      '--max_seq_len 8192: too long; raise --max_seq_len, or add --prune_vocab',
    );
    expect(spellFlags('`useLora: false` and `lora.useDora: true`, `lora.r: 8`')).toBe(
      '--no-use_lora and --use_dora, --lora_r 8',
    );
    expect(spellFlags('`torchDtype` is now called `dtype`')).toBe('--torch_dtype is now called --dtype');
    expect(spellFlags('`challengesPath`: see `README` and `notAnOption`')).toBe(
      '--challenges: see `README` and `notAnOption`',
    );
    expect(spellOptions('`maxSeqLen: 3`', (name, value) => `submit.${name}=${value}`)).toBe(
      'submit.maxSeqLen=3',
    );
  });

  it('are declared by a table or a command, wherever a source names one', async () => {
    const known = new Set(
      Object.values(flows).flatMap(({ table }) => [
        ...Object.keys(table),
        ...leavesOf(table).map(({ name }) => name),
      ]),
    );
    const undeclared: string[] = [];
    const add = async (table: CommandTable): Promise<void> => {
      for (const [name, entry] of Object.entries(table)) {
        if (entry.subcommands !== undefined) await add(entry.subcommands);
        if (entry.load === undefined) continue;
        const command = new Command(name);
        const file = (await entry.load()).default;
        declareCommand(command, file);
        const wanted = Object.values(file.options?.table ?? {}).filter(({ argument }) => argument);
        if (command.registeredArguments.length < wanted.length) undeclared.push(name);
        for (const option of command.options) known.add(option.attributeName());
      }
    };
    await add(commands);
    expect(undeclared, 'commands that do not declare an argument of their table').toEqual([]);
    const root = join(packageRoot(), 'src');
    const unknown: string[] = [];
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts') || name.startsWith('writeup')) continue;
      const code = readFileSync(join(root, name), 'utf8').replace(/^\s*(\/\/|\/?\*).*$/gm, '');
      // in a template literal the marks are escaped, in a plain one they are not
      const marked = /\\`([a-z][A-Za-z0-9.]*)(?:: [^`]*)?\\`|'[^'\n]*?`([a-z][A-Za-z0-9.]*)(?:: [^`']*)?`/g;
      for (const [, escaped, plain] of code.matchAll(marked)) {
        const option = escaped ?? plain!;
        if (!known.has(option)) unknown.push(`${name}: ${option}`);
      }
    }
    expect(unknown).toEqual([]);
  });
});

describe('nearestName', () => {
  const names = ['learningRate', 'maxSteps', 'maxSeqLen', 'n'];
  it.each([
    ['learningrate', 'learningRate'],
    ['learning_rate', 'learningRate'],
    ['learnignRate', 'learningRate'],
    ['max_step', 'maxSteps'],
    ['maxSqLen', 'maxSeqLen'],
    ['learn', 'learningRate'],
    ['learnig', 'learningRate'],
    ['max', undefined],
    ['temperature', undefined],
  ])('%s: %s', (given, expected) => {
    expect(nearestName(given, names)).toBe(expected);
  });

  it('is the name itself for a known one', () => {
    fc.assert(fc.property(fc.constantFrom(...names), (name) => nearestName(name, names) === name));
  });
});
