import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ErrorLines } from '../../src/writeup/error-lines.js';

/** Both kinds of lines, when the stream comes in these pieces. */
function split(pieces: readonly string[]): { progress: string; errors: string } {
  const lines = new ErrorLines();
  const parts = [...pieces.map((piece) => lines.take(piece)), lines.end()];
  return {
    progress: parts.map(({ progress }) => progress).join(''),
    errors: parts.map(({ errors }) => errors).join(''),
  };
}

test('a traceback is an error to its end', () => {
  const traceback = 'Traceback (most recent call last):\n  File "x.py", line 1\nKeyError: 3\n';
  expect(split([`loading\n${traceback}`])).toEqual({ progress: 'loading\n', errors: traceback });
});

test.each([
  'error: --foo is not known\n',
  'bash: line 1: foo: command not found\n',
  'torch.OutOfMemoryError: 3 GB\n',
])('an error: %j', (line) => {
  expect(split([line])).toEqual({ progress: '', errors: line });
});

test.each([
  'step 3/5 loss 0.4 error rate 3 %\n',
  ' 10%|█| 1/10 [00:01<00:09]\r',
  'errors so far: 0\n',
  'note: ok\n',
])('no error: %j', (line) => {
  expect(split([line])).toEqual({ progress: line, errors: '' });
});

test('how a stream is cut into pieces changes nothing, and nothing is lost', () => {
  const line = fc.constantFrom(
    'error: x\n',
    'step 1 loss 0.5\n',
    '10 %\r',
    'TypeError: a\n',
    '\n',
    'e',
    'error',
    'Trace',
  );
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat({ max: 60 })), (lines, cuts) => {
      const text = lines.join('');
      const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
      const pieces = at.slice(1).map((end, i) => text.slice(at[i], end));
      const whole = split([text]);
      expect(split(pieces)).toEqual(whole);
      expect([...whole.progress, ...whole.errors].sort()).toEqual([...text].sort());
    }),
  );
});
