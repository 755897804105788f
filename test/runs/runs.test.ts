/** The recipes of `runs/`: their commands are ours, in the order in which each finds what it needs. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.js';
import { commandLineOf } from '../../src/cli/own-calls.js';

const ownCommandLine = commandLineOf(commands);

const runs = join(import.meta.dirname, '../../runs');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-runs-'));
  // takes the place of npx: keeps what it is asked
  const npx = join(folder, 'npx');
  writeFileSync(
    npx,
    `#!${process.execPath}\nrequire('fs').appendFileSync(process.env.CALLS, JSON.stringify(process.argv.slice(2)) + '\\n');\n`,
  );
  chmodSync(npx, 0o755);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The calls of a recipe, and what it prints. */
function callsOf(script: string, env: Record<string, string>): { calls: string[][]; printed: string } {
  const calls = join(folder, 'calls.jsonl');
  rmSync(calls, { force: true });
  const { status, stdout, stderr } = spawnSync('bash', [join(runs, script)], {
    encoding: 'utf8',
    env: {
      ...process.env,
      PATH: `${folder}:${process.env.PATH}`,
      CALLS: calls,
      OUT: join(folder, 'out'),
      ...env,
    },
  });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  const lines = readFileSync(calls, 'utf8').trim().split('\n');
  return { calls: lines.map((line) => JSON.parse(line) as string[]), printed: stdout };
}

describe.each(readdirSync(runs).filter((name) => name.endsWith('.sh')))('%s', (script) => {
  test('calls commands that arclab has, with flags and values that they take', async () => {
    const { calls } = callsOf(script, { DATA: '/data', STEPS: '100' });
    expect(calls.length).toBeGreaterThan(5);
    for (const [program, ...words] of calls) {
      expect(program).toBe('arclab');
      const refusal = await ownCommandLine.refusal(words);
      // a check of a submission needs no model
      const refused = words.includes('--check') && refusal?.isWellFormed ? undefined : refusal;
      expect([words.join(' '), refused]).toEqual([words.join(' '), undefined]);
    }
  });

  test('says how long training takes', () => {
    const { printed } = callsOf(script, {
      DATA: '/data',
      STEPS: '100',
      TOKENS_PER_SECOND: '94',
      DOLLARS_PER_HOUR: '1',
    });
    // 100 steps of 16 samples of 2,000 tokens
    expect(printed).toContain('training: 3 million tokens, predicted 9.5 h and $9.46 at 94 tokens/s');
  });

  test('reads only files that the data set has or an earlier command writes', () => {
    const { calls } = callsOf(script, { DATA: '/data', STEPS: '100' });
    const out = join(folder, 'out');
    const written: string[] = [];
    for (const [, ...words] of calls) {
      const outputs = new Set(
        words.flatMap((word, i) => (/^--output_(path|dir)$/.test(word) ? [words[i + 1]!] : [])),
      );
      for (const word of words.filter((path) => path.startsWith(out) && !outputs.has(path))) {
        const stem = word.replace(/_task_results(?=\.json$)/, '');
        expect(written.some((path) => stem.startsWith(path) || word === path)).toBe(true);
      }
      written.push(...outputs);
    }
  });
});

test('without its data a recipe says what it needs', () => {
  const { status, stderr } = spawnSync('bash', [join(runs, 'arc-agi-1.sh')], {
    encoding: 'utf8',
    env: { ...process.env, DATA: '' },
  });
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/DATA: the folder with the files of the competition/);
});
