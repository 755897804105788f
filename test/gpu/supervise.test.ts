/** The parts of the GPU script, as processes: none takes another with it, and nothing that was printed is lost. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { supervise, type Task } from './supervise.js';

const folder = mkdtempSync(join(tmpdir(), 'arclab-gpu-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const part = (name: string, code: string, limit = 20): Task => ({
  ...{ name, title: `the part ${name}`, limit },
  command: [process.execPath, '-e', code],
});
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
};

describe.skipIf(process.platform !== 'linux')('parts', () => {
  test('one that hangs ends at its limit with what it started, and the next one runs', async () => {
    const output = join(folder, 'hangs.txt');
    const hang = `const { spawn } = require('child_process');
      console.log('child ' + spawn('sleep', ['100'], { stdio: 'inherit' }).pid); for (;;);`;
    let printed = '';
    const endings = await supervise(
      [
        part('hangs', hang, 4),
        part('breaks', 'console.log("half"); throw new Error("why")'),
        part('falls', 'console.log("FALLS SHORT: falls"); process.exit(3)'),
        part('holds', 'console.log("figure 7")'),
      ],
      {
        output,
        total: 60,
        print: (text) => {
          printed += text;
        },
      },
    );
    expect([...endings.values()]).toEqual(['limit', 'broke', 'short', 'holds']);
    const text = readFileSync(output, 'utf8');
    expect(text).toBe(printed);
    expect(text).toContain('BROKE: hangs: ended after its limit of 4 s');
    expect(text).toContain('Error: why');
    expect(text.indexOf('half')).toBeLessThan(text.indexOf('figure 7'));
    expect(text.trim().split('\n').at(-1)).toBe('hangs: limit, breaks: broke, falls: short');
    expect(isAlive(Number(/child (\d+)/.exec(text)![1]))).toBe(false);
  });

  test('no part is begun when the time for all is over', async () => {
    const endings = await supervise([part('late', 'console.log("ran")')], { total: 1, print: () => {} });
    expect([...endings]).toEqual([['late', 'not run']]);
  });
});
