import { expect, test } from 'vitest';
import { withPlace } from '../../src/common/error-place.js';
import { UserError } from '../../src/common/errors.js';

function caught(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}

test('a mistake in the code is told with its place, whoever called it', () => {
  const object = undefined as unknown as { field: number };
  function reader() {
    return object.field;
  }
  const text = withPlace(caught(() => [1].map(reader)));
  expect(text).toMatch(
    /^TypeError: Cannot read properties of undefined \(reading 'field'\) \(at reader error-place\.test\.ts:\d+, in \S*/,
  );
  expect(text).not.toContain('/');
});

test('what a person can mend, and what was thrown on purpose, is told as it is', () => {
  expect(withPlace(new UserError('one line'))).toBe('one line');
  expect(withPlace(new Error('on purpose'))).toBe('on purpose');
  expect(withPlace('a text')).toBe('a text');
  const without = new TypeError('no stack');
  without.stack = '';
  expect(withPlace(without)).toBe('no stack');
});
