import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseWhere, type RunValue } from '../../src/records/where.js';

const run: Record<string, RunValue> = {
  'lora.r': 64,
  learningRate: 1e-4,
  status: 'done',
  optim: 'adamw',
  useLora: true,
  command: "it's said",
};
const holds = (source: string) => parseWhere(source).condition((name) => run[name]);

test.each([
  ['lora.r>=64', true],
  ['lora.r > 64', false],
  ['learningRate = 1e-4', true],
  ['learningRate == 0.0001', true],
  ['status=done and optim != adamw', false],
  ['status = failed or optim ~ adam and lora.r < 100', true],
  ['(status = failed or optim ~ adam) and lora.r > 100', false],
  ['not (status = failed) && useLora = true', true],
  ['!status=done || useLora=false', false],
  ['command = "it\'s said"', true],
  ['command ~ "and"', false],
  // what a run does not have is unlike everything, and neither more nor less
  ['batchSize > 1', false],
  ['batchSize < 1', false],
  ['batchSize != 1', true],
  // a number is no text
  ['status > 3', false],
])('%s is %s', (source, expected) => {
  expect(holds(source)).toBe(expected);
});

test.each([
  ['', /expected the name of an option or a result, found its end/],
  ['lora.r', /expected one of = != < <= > >= ~, found its end/],
  ['lora.r >', /expected a value, found its end/],
  ['lora.r > 3 status = done', /expected "and" or "or", found "status = done"/],
  ['(lora.r > 3', /expected "\)", found its end/],
  ['lora.r > "3', /found "\\"3"/],
  ['> 3', /expected the name/],
  ['a = b and', /expected the name/],
])('%j is refused: %s', (source, message) => {
  expect(() => parseWhere(source)).toThrow(message);
});

test('any text is read or refused in one line', () => {
  fc.assert(
    fc.property(fc.string(), (source) => {
      try {
        parseWhere(source).condition(() => 1);
      } catch (error) {
        expect((error as Error).name).toBe('UserError');
        expect((error as Error).message).not.toContain('\n');
      }
    }),
  );
});
