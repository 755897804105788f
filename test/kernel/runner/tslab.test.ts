import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runNotebook } from '../../../kernel/runner/index.js';
import { parseParameter } from '../../../kernel/runner/parameters.js';
import { documentAt, printed, scratchFolder, writeNotebook } from './notebooks.js';

const folder = scratchFolder();
process.env.JUPYTER_PATH = folder;

// what a library takes and what a person compares: stock tslab refuses cells with type errors
const cells = [
  {
    source: "const steps = 1, backend = 'wasm', seeds = [1], adapter = ''\nlet rate: number | null = null",
    tags: ['parameters'],
  },
  "function take(o: { backend: 'wasm' | 'torch'; steps: number }) { return o }",
  // not { backend, steps }: tslab loses the names of earlier cells there
  'take({ backend: backend, steps: steps })',
  "if (adapter !== '') console.log('adapter', adapter)\nif (steps === 1) console.log('one step')",
  'console.log(steps, backend, seeds.map((seed) => seed + 1), rate === null ? 0 : rate * 2)',
];

describe('a notebook on stock tslab', () => {
  it('runs, and with injected parameters of any value', async () => {
    const notebook = writeNotebook(join(folder, 'a.ipynb'), 'tslab', cells);
    const output = join(folder, 'out.ipynb');
    const plain = await runNotebook({ path: notebook, output, kernel: 'tslab' });
    expect(plain.failures).toEqual([]);
    expect(printed(documentAt(output), 3)).toBe('one step\n');
    expect(printed(documentAt(output), 4)).toBe('1 wasm [ 2 ] 0\n');
    const parameters = [
      parseParameter('steps', '2'),
      parseParameter('backend', 'torch'),
      parseParameter('seeds', '[3,4]'),
      parseParameter('adapter', 'a/b'),
      parseParameter('rate', '0.5'),
    ];
    const result = await runNotebook({ path: notebook, output, kernel: 'tslab', parameters });
    expect(result.failures).toEqual([]);
    expect(printed(documentAt(output), 4)).toBe('adapter a/b\n');
    expect(printed(documentAt(output), 5)).toBe('2 torch [ 4, 5 ] 1\n');
  });

  it('fails where a cell fails, although tslab sends no error, and does not skip the cell after it', async () => {
    const notebook = writeNotebook(join(folder, 'b.ipynb'), 'tslab', [
      "throw new Error('boom')",
      "console.log('ran')",
    ]);
    const { failures, ran } = await runNotebook({ path: notebook, kernel: 'tslab', allowErrors: true });
    expect(ran).toBe(2);
    expect(failures).toHaveLength(1);
    expect(failures[0]!.failure.traceback.join('\n')).toContain('Error: boom');
    expect(documentAt(notebook).cells[0]!.outputs.at(-1)!.output_type).toBe('error');
    expect(printed(documentAt(notebook), 1)).toBe('ran\n');
  });
});
