import { describe, expect, test } from 'vitest';
import { causeOf, endOf, ownWords } from '../../../kernel/supervisor/cause.js';

/** Of a Node 20 whose heap was exhausted, shortened. */
const exhausted = `
<--- Last few GCs --->

[1:0x1]      900 ms: Mark-Compact 120.1 (153.9) -> 120.0 (153.9) MB, 50.40 / 0.00 ms  allocation failure

<--- JS stacktrace --->

FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory
----- Native stack trace -----

 1: 0xb8d0a3 node::OOMErrorHandler(char const*, v8::OOMDetails const&) [node]
`;

describe('why a kernel died', () => {
  test.each([
    [137, '', 'killed (SIGKILL)'],
    [139, '', 'crashed (SIGSEGV)'],
    [134, 'free(): double free detected in tcache 2\n', 'gave up (SIGABRT)'],
    [1, '', 'exit code 1'],
    [134, exhausted, "out of memory: JavaScript's heap has reached its limit of 300 MB"],
    // of Node 26
    [
      133,
      'FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory\n',
      'out of memory',
    ],
    [134, 'FATAL ERROR: v8::ToLocalChecked Empty MaybeLocal\n', 'gave up (SIGABRT)'],
  ])('exit code %i of the shell, %j', (code, stderr, words) => {
    expect(causeOf({ ...endOf(code), stderr, heapLimitMb: 300 })).toContain(words);
  });

  test.each([
    [300, 4096],
    [2096, 8192],
    [4144, 16384],
  ])('with %i MB more than that is proposed', (heapLimitMb, proposed) => {
    expect(causeOf({ ...endOf(134), stderr: exhausted, heapLimitMb })).toContain(
      `--max-old-space-size=${proposed} `,
    );
  });

  test("a notebook shows what a library says, and not V8's report", () => {
    expect(ownWords('free(): invalid pointer\n')).toBe('free(): invalid pointer\n');
    expect(ownWords(`a library\n${exhausted}`)).toBe('a library');
    expect(ownWords('Waiting for the debugger to disconnect...\n')).toBe('');
  });
});
