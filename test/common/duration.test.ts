import { expect, test } from 'vitest';
import { parseDuration } from '../../src/common/duration.js';

test('hours, minutes and seconds, and nothing else', () => {
  expect(['11.5h', '90m', '3600s', '0.5s'].map((text) => parseDuration(text, '--t'))).toEqual([
    41_400, 5400, 3600, 0.5,
  ]);
  const wrong = [
    '',
    '90',
    '1h30m',
    '-1h',
    '0s',
    'h',
    '1 h',
    '1H',
    '1e3s',
    '.5h',
    '501h',
    'Infinityh',
    '1h\n',
  ];
  for (const text of wrong)
    expect(() => parseDuration(text, '--t'), text).toThrow(/--t: expected a duration/);
});
