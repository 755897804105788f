import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runNotebook } from '../../../kernel/runner/index.js';
import { parseParameter } from '../../../kernel/runner/parameters.js';
import { documentAt, printed, scratchFolder, writeNotebook } from './notebooks.js';

const folder = scratchFolder();
const write = (name: string, ...cells: Parameters<typeof writeNotebook>[2]) =>
  writeNotebook(join(folder, name), 'tslab', cells);

describe('a notebook made for tslab, on our own kernel', () => {
  it('runs with injected parameters, in the folder of the notebook', async () => {
    writeFileSync(join(folder, 'shared.ts'), 'export const twice = (x: number): number => 2 * x;\n');
    const notebook = write(
      'parameters.ipynb',
      { source: "const steps = 1, backend: 'wasm' | 'torch' = 'wasm'", tags: ['parameters'] },
      "import { twice } from './shared';\nconsole.log(twice(steps), { backend })",
      "steps === 1 ? 'one' : 'many'",
    );
    const output = join(folder, 'parameters.out.ipynb');
    await runNotebook({ path: notebook, output });
    expect(printed(documentAt(output), 1)).toBe("2 { backend: 'wasm' }\n");
    const parameters = [parseParameter('steps', '21'), parseParameter('backend', 'torch')];
    const { failures } = await runNotebook({ path: notebook, output, parameters });
    expect(failures).toEqual([]);
    expect(printed(documentAt(output), 2)).toBe("42 { backend: 'torch' }\n");
    expect(printed(documentAt(output), 3)).toBe("'many'");
  });

  it('is the same file again after a rerun that gives the same', async () => {
    const notebook = write('twice.ipynb', "console.log('é', 1e21)", '[1, 2]', 'await Promise.resolve(3)');
    await runNotebook({ path: notebook });
    const text = readFileSync(notebook, 'utf8');
    expect(text).toContain('é 1e+21');
    await runNotebook({ path: notebook });
    expect(readFileSync(notebook, 'utf8')).toBe(text);
  });

  it.each([
    ['a loop', "console.log('begun'); while (true) {}"],
    ['a promise', "console.log('begun'); await new Promise(() => {})"],
  ])('is interrupted in %s that never ends, and keeps what it knows', async (_, source) => {
    const notebook = write('endless.ipynb', 'const known = 1', source, "console.log('known', known)");
    const { failures, ran } = await runNotebook({ path: notebook, timeout: 1, allowErrors: true });
    expect(ran).toBe(3);
    expect(failures.map(({ failure }) => failure.kind)).toEqual(['timeout']);
    expect(printed(documentAt(notebook), 1)).toMatch(/^begun\n/);
    expect(printed(documentAt(notebook), 2)).toBe('known 1\n');
  });

  it('says where an error is, and what killed the kernel', async () => {
    const error = await runNotebook({ path: write('error.ipynb', '\nconst a: number = undefinedName') });
    expect(error.failures[0]!.failure.message).toBe('ReferenceError: undefinedName is not defined');
    expect(error.failures[0]!.failure.traceback.join('\n')).toContain(':2:');
    const death = await runNotebook({ path: write('death.ipynb', "process.kill(process.pid, 'SIGKILL')") });
    expect(death.failures[0]!.failure.message).toMatch(/^KernelDied: .*SIGKILL/);
  });

  it('puts late output into the cell that caused it', async () => {
    const notebook = write(
      'late.ipynb',
      "setTimeout(() => console.log('late'), 200); 'now'",
      'await new Promise((done) => setTimeout(done, 600))',
    );
    await runNotebook({ path: notebook });
    expect(printed(documentAt(notebook), 0)).toBe("'now'late\n");
  });

  it('fails where a cell causes an error after its end', async () => {
    const notebook = write(
      'rejected.ipynb',
      "setTimeout(() => { throw new Error('of a timer') }, 50); 'now'",
      'await new Promise((done) => setTimeout(done, 400))',
      "'not run any more'",
    );
    const { failures, ran } = await runNotebook({ path: notebook });
    expect(ran).toBe(2);
    expect(failures).toMatchObject([
      { cell: { number: 1 }, failure: { message: 'Error: of a timer (after the cell had ended)' } },
    ]);
    expect(documentAt(notebook).cells[0]!.outputs!.map(({ output_type }) => output_type)).toEqual([
      'execute_result',
      'error',
    ]);
    const all = await runNotebook({ path: notebook, allowErrors: true });
    expect([all.ran, all.failures.length]).toEqual([3, 1]);
  });

  it('keeps 20 MB in one string and 20,000 lines whole', async () => {
    const notebook = write(
      'large.ipynb',
      "console.log('x'.repeat(20 * 1024 * 1024))",
      'for (let i = 0; i < 20_000; i++) console.log(i)',
    );
    await runNotebook({ path: notebook });
    expect(printed(documentAt(notebook), 0) === `${'x'.repeat(20 * 1024 * 1024)}\n`).toBe(true);
    expect(
      printed(documentAt(notebook), 1) === Array.from({ length: 20_000 }, (_, i) => `${i}\n`).join(''),
    ).toBe(true);
  });
});
