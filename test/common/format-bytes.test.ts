import { expect, it } from 'vitest';
import { formatBytes, formatMebibytes } from '../../src/common/format-bytes.js';

it('writes sizes with three digits, and never with an exponent', () => {
  const mib = 2 ** 20;
  expect([0.5, 9.004, 12.34, 999.4, 999.6, 1012, 1024, 1500, 20480].map((n) => formatBytes(n * mib))).toEqual(
    [
      '0.500 MiB',
      '9.00 MiB',
      '12.3 MiB',
      '999 MiB',
      '999.6 MiB',
      '1012 MiB',
      '1.00 GiB',
      '1.46 GiB',
      '20.0 GiB',
    ],
  );
  expect(formatBytes(1500 * 2 ** 30)).toBe('1500 GiB');
});

it('tells sizes apart that are nearly equal', () => {
  expect(formatMebibytes(1037.6 * 2 ** 20)).toBe('1037.6 MiB');
});
