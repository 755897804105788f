import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { temporaryFolder } from './account.js';
import { renderedCell } from './cells.js';
import { python, withPython } from './python.js';

/** The functions of the bootstrap cell, without the start. @param after what is run with them */
function run(after: string, env: object = {}, model?: string): unknown {
  const cell = renderedCell('bootstrap', model === undefined ? {} : { model });
  const functions = cell.slice(0, cell.lastIndexOf('\n\n\ntry:'));
  const script = `${renderedCell('fallback')}
class Stop(Exception):
    pass
${functions}
print()
print(${after})`;
  return JSON.parse(python(script, { env }).toString().trim().split('\n').at(-1)!);
}

describe('the type of numbers', () => {
  /** A driver's program that lists cards; old ones do not know the field of the capability. */
  function withCards(cards: readonly string[], { old = false } = {}): object {
    const bin = join(temporaryFolder(), 'bin');
    mkdirSync(bin);
    const known = old ? 'case "$1" in *compute_cap*) echo "Field is not valid"; exit 2;; esac\n' : '';
    const program = join(bin, 'nvidia-smi');
    writeFileSync(
      program,
      `#!/bin/sh\n${known}printf '%s\\n' ${cards.map((card) => `'${card}'`).join(' ')}\n`,
    );
    chmodSync(program, 0o755);
    return { PATH: `${bin}:${process.env.PATH}` };
  }

  withPython.each([
    ['T4', ['Tesla T4, 15360 MiB, 7.5', 'Tesla T4, 15360 MiB, 7.5'], 'float16'],
    ['L4', Array.from({ length: 4 }, () => 'NVIDIA L4, 23034 MiB, 8.9'), 'bfloat16'],
    ['A100, the oldest that can', ['NVIDIA A100-SXM4-40GB, 40960 MiB, 8.0'], 'bfloat16'],
    ['RTX Pro 6000, of which 12.0 is more than 8.0', ['NVIDIA RTX PRO 6000, 97887 MiB, 12.0'], 'bfloat16'],
    ['one of each', ['NVIDIA L4, 23034 MiB, 8.9', 'Tesla T4, 15360 MiB, 7.5'], 'float16'],
    ['a card that the driver does not know', ['Unknown, 1 MiB, [N/A]'], 'float16'],
  ])('on %s', (_, cards, expected) => {
    expect(run('json.dumps(float_type(gpus()))', withCards(cards))).toBe(expected);
  });

  withPython('with a driver that tells no capability', () => {
    const env = withCards(['Tesla T4, 15360 MiB'], { old: true });
    expect(run('json.dumps([gpus(), float_type(gpus())])', env)).toEqual([
      [['Tesla T4', '15360 MiB']],
      'float16',
    ]);
  });

  withPython('without a card', () => {
    expect(run('json.dumps(gpus())', { PATH: '/usr/bin:/bin' })).toEqual([]);
  });
});

describe('the model of a configuration', () => {
  const model = 'qwen-lm/qwen2.5/transformers/0.5b-instruct/1';
  const choice = (paths: readonly string[]) =>
    run(
      `json.dumps(str(choose("model", "MODEL", MODEL, [Path(p) for p in ${JSON.stringify(paths)}], "one")))`,
      {},
      model,
    );

  withPython.each([
    ['/kaggle/input/models/qwen-lm/qwen2.5/transformers/0.5b-instruct/1'],
    ['/kaggle/input/qwen2.5/transformers/0.5b-instruct/1'],
    ['/kaggle/input/qwen2.5/Transformers/0.5b-instruct/1'],
  ])('is found at %s', (path) => {
    expect(choice(['/kaggle/input/qwen2.5/transformers/0.5b-instruct/12', path, '/kaggle/input/x'])).toBe(
      path,
    );
  });

  withPython('is missed', () => {
    expect(() => choice(['/kaggle/input/x', '/kaggle/input/y'])).toThrow(
      'MODEL: no model lies at …/qwen2.5/transformers/0.5b-instruct/1; there is /kaggle/input/x, /kaggle/input/y.',
    );
  });
});
