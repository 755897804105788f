/** `jupyter console`, as a person uses it in a terminal. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { pythonWith } from '../../prerequisites/index.js';
import { installKernel } from '../installed.js';
import { runPython } from '../python.js';

const python = pythonWith('jupyter_console');
const folder = mkdtempSync(join(tmpdir(), 'arclab-console-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Types into a console, and returns what the terminal shows after each step. */
const script = `
import json, os, re, sys, time
import pexpect
given = json.load(sys.stdin)
def open_console():
    child = pexpect.spawn(sys.executable, ['-m', 'jupyter_console', '--kernel', 'arclab', '--ZMQTerminalInteractiveShell.simple_prompt=False',
        '--ZMQTerminalInteractiveShell.kernel_is_complete_timeout=30'],
        env={**os.environ, **given['env'], 'TERM': 'xterm', 'PROMPT_TOOLKIT_NO_CPR': '1'}, encoding='utf8', timeout=60, dimensions=(40, 100))
    child.expect(r'In .*1.*: ')
    time.sleep(1)
    return child
def step(child, keys, expected):
    child.send(keys)
    try:
        child.expect(expected, timeout=30)
        return True
    except pexpect.exceptions.ExceptionPexpect:
        return re.sub('\\x1b[^a-zA-Z]*[a-zA-Z]', '', child.before or '')[-500:]
results = []
for steps in given['sessions']:
    child = open_console()
    for keys, expected in steps:
        results.append(step(child, keys, expected))
        time.sleep(0.5)
    child.close(force=True)
print(json.dumps(results))
`;

describe.skipIf(python === undefined)('jupyter console', { timeout: 240_000 }, () => {
  test('runs cells of several lines, completes, interrupts, and finds what an earlier session has run', () => {
    const installed = installKernel();
    const [enter, tab, up, interrupt] = ['\r', '\t', '\x1b[A', '\x03'];
    const first = [
      [`const total: number = 20 + 22${enter}`, 'In .*2'],
      [`total${enter}`, 'Out.*2.*42'],
      // not complete yet: the console asks for more
      [`for (let i = 5; i < 7; i++) {${enter}`, '\\.\\.\\.'],
      [`console.log('n' + i)${enter}`, '\\.\\.\\.'],
      [`}${enter}`, 'n5\r\nn6'],
      [`tot${tab}`, 'total'],
      [`${enter}`, 'Out.*4.*42'],
      [`while (true) {}${enter}`, '\r\n'],
      [interrupt, 'KernelInterrupted'],
      [`'after' + total${enter}`, 'after42'],
    ];
    const second = [
      [up, 'after'],
      [enter, 'ReferenceError'],
    ];
    try {
      // an answer must come within a second, and on a busy machine the check of a cell may take longer
      const env = {
        ...installed.env,
        ARCLAB_KERNEL_HISTORY: join(folder, 'history.jsonl'),
        ARCLAB_KERNEL_TYPES: 'off',
      };
      const results = runPython(python!, script, JSON.stringify({ env, sessions: [first, second] }));
      expect(results).toEqual([...first, ...second].map(() => true));
    } finally {
      installed.remove();
    }
  });
});
