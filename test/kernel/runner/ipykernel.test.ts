import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseNotebook } from '../../../kernel/notebook/index.js';
import { type RunOptions, runNotebook } from '../../../kernel/runner/index.js';
import { buildFile } from '../../../src/common/files.js';
import { pythonWith } from '../../prerequisites/index.js';
import { runPython } from '../python.js';
import { documentAt, printed, scratchFolder, writeNotebook } from './notebooks.js';

const python = pythonWith('ipykernel', 'nbclient', 'nbformat');
const folder = scratchFolder();

describe.skipIf(python === undefined)('a notebook on ipykernel', () => {
  // the kernel of the Python under test, and a variable that tells its processes from others
  const kernels = join(folder, 'jupyter', 'kernels', 'python-test');
  mkdirSync(kernels, { recursive: true });
  const argv = [python, '-m', 'ipykernel_launcher', '-f', '{connection_file}'];
  const mark = `ARCLAB_RUNNER_TEST_${process.pid}`;
  writeFileSync(
    join(kernels, 'kernel.json'),
    JSON.stringify({ argv, display_name: 'P', language: 'python', env: { [mark]: '1' } }),
  );
  process.env.JUPYTER_PATH = join(folder, 'jupyter');
  // IPython keeps a history file in its home
  process.env.IPYTHONDIR = join(folder, 'ipython');
  // other tests start kernels too
  process.env.TMPDIR = join(folder, 'tmp');
  mkdirSync(process.env.TMPDIR);

  const path = (name: string) => join(folder, name);
  const write = (name: string, ...cells: Parameters<typeof writeNotebook>[2]) =>
    writeNotebook(path(name), 'python-test', cells);
  const run = (notebook: string, options: Partial<RunOptions> = {}) =>
    runNotebook({ path: notebook, ...options });

  /** Kernels of this test that still run. */
  const running = () =>
    readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark);
      } catch {
        return false;
      }
    });
  const connectionFolders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('kernel-'));

  it('has the outputs that nbclient finds', async () => {
    const notebook = write(
      'same.ipynb',
      'import sys\nfor i in range(3):\n    print(i)\nprint("e", file=sys.stderr)\n"result"',
      'from IPython.display import display, HTML, SVG, JSON, clear_output, Markdown\nh = display(HTML("<b>1</b>\\n<i>"), display_id="d")\nprint("é\\u2028\\n" * 3, end="")',
      'clear_output(wait=True)\nprint("kept until something follows")',
      'print("gone")\nclear_output(wait=True)\ndisplay(JSON({"b": [1.5], "a": None}), Markdown("# x\\ny"), raw=False)',
      'h.update(HTML("<b>2</b>"))\ndisplay(HTML("new"), display_id="d")',
      '',
      'class A:\n    def _repr_mimebundle_(self, **k): return {"text/plain": "p", "image/png": "aGk=", "application/x+json": [1]}, {"image/png": {"width": 3}}\nA()',
      { source: 'raise ValueError("told you")', tags: ['raises-exception'] },
      { source: '1/0', tags: ['skip-execution'] },
      'None',
    );
    const result = await run(notebook, { output: path('same.out.ipynb') });
    expect(result.failures).toEqual([]);
    const theirs = runPython(
      python!,
      `import json, sys, nbformat, nbclient
nb = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(nb, kernel_name="python-test", record_timing=False).execute()
for cell in nb.cells:
    merged = []
    for output in cell.outputs:
        last = merged[-1] if merged else {}
        if output.output_type == "stream" and last.get("name") == output.name: last.text += output.text
        else: merged.append(output)
    cell.outputs = merged
print(nbformat.writes(nb))`,
      '',
      [notebook],
    );
    const ours = documentAt(path('same.out.ipynb')).cells;
    expect(ours).toEqual(parseNotebook(JSON.stringify(theirs), 'theirs').document.cells);
    runPython(
      python!,
      'import sys, nbformat\nnbformat.validate(nbformat.read(sys.argv[1], 4))\nprint(1)',
      '',
      [path('same.out.ipynb')],
    );
    expect(running()).toEqual([]);
  });

  it('stops at the first error, says where, and keeps what came before', async () => {
    const notebook = write('error.ipynb', 'x = 1\nprint(x)', 'def f(): return 1 / 0\nf()', 'print("later")');
    const { failures, ran } = await run(notebook);
    expect(ran).toBe(2);
    expect(failures).toHaveLength(1);
    expect(failures[0]!.cell).toMatchObject({ number: 2, total: 3, title: 'def f(): return 1 / 0' });
    expect(failures[0]!.failure).toMatchObject({
      kind: 'error',
      message: 'ZeroDivisionError: division by zero',
    });
    expect(failures[0]!.failure.traceback.join('\n')).toContain('f()');
    expect([0, 1, 2].map((i) => printed(documentAt(notebook), i))).toEqual([
      '1\n',
      'ZeroDivisionError: division by zero',
      '',
    ]);
    const all = await run(notebook, { allowErrors: true });
    expect(all.ran).toBe(3);
    expect(printed(documentAt(notebook), 2)).toBe('later\n');
  });

  it('gives the same file when it gives the same outputs', async () => {
    const notebook = write('twice.ipynb', 'print(1)', '"a"');
    await run(notebook);
    // laid out by hand, as no program does
    const text = readFileSync(notebook, 'utf8')
      .replace(/"outputs": \[\s*/, '"outputs":    [')
      .replace('null', 'null');
    writeFileSync(notebook, text);
    await run(notebook);
    expect(readFileSync(notebook, 'utf8')).toBe(text);
  });

  it('interrupts a cell that takes too long', async () => {
    const notebook = write(
      'slow.ipynb',
      'import time\nprint("before", flush=True)\ntime.sleep(60)',
      'print(1)',
    );
    const { failures, seconds } = await run(notebook, { timeout: 1 });
    expect(seconds).toBeLessThan(20);
    expect(failures[0]!.failure).toMatchObject({
      kind: 'timeout',
      message: 'took longer than 1 s and was interrupted',
    });
    expect(printed(documentAt(notebook), 0)).toBe('before\nKeyboardInterrupt: ');
  });

  it('ends a kernel that does not listen to the interrupt', async () => {
    const notebook = write(
      'deaf.ipynb',
      'import time\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass',
    );
    const { failures } = await run(notebook, { timeout: 0.5 });
    expect(failures[0]!.failure.message).toContain(
      'took longer than 0.5 s and was interrupted; the kernel did not stop',
    );
    expect(running()).toEqual([]);
  });

  it('notices at once that the kernel dies, and says how', async () => {
    const notebook = write(
      'death.ipynb',
      // ipykernel prints on a thread of its own, which needs a moment
      'import os, time\nprint("last words", flush=True)\ntime.sleep(0.5)\nos.write(2, b"fatal: no memory\\n")\nos._exit(3)',
      '1',
    );
    const started = performance.now();
    const { failures } = await run(notebook, { allowErrors: true });
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(failures).toHaveLength(1);
    expect(failures[0]!.failure).toMatchObject({ kind: 'death' });
    expect(failures[0]!.failure.message).toContain('exit code 3');
    expect(printed(documentAt(notebook), 0)).toContain('last words\n');
    expect(printed(documentAt(notebook), 0)).toContain('KernelDiedError: the kernel died (exit code 3)');
    const killed = write('killed.ipynb', 'import os, signal\nos.kill(os.getpid(), signal.SIGKILL)');
    expect((await run(killed)).failures[0]!.failure.message).toContain('killed by SIGKILL');
  });

  it('refuses input with a clear error', async () => {
    const notebook = write('input.ipynb', 'input("Name: ")');
    const { failures } = await run(notebook);
    expect(failures[0]!.failure.message).toMatch(/input/);
    expect(failures[0]!.failure.kind).toBe('error');
  });

  it('leaves no process behind, not even those that cells started', async () => {
    const notebook = write(
      'children.ipynb',
      'import subprocess\np = subprocess.Popen(["sleep", "300"])\nprint(p.pid)',
    );
    await run(notebook);
    expect(running()).toEqual([]);
    expect(connectionFolders()).toEqual([]);
  });

  it('puts late output into the cell that it belongs to', async () => {
    const notebook = write(
      'late.ipynb',
      `kernel = get_ipython().kernel
parent = kernel.get_parent()
def late(): kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "late\\n"}, parent=parent)`,
      'late()\nprint("now")',
    );
    await run(notebook);
    expect(printed(documentAt(notebook), 0)).toBe('late\n');
    expect(printed(documentAt(notebook), 1)).toBe('now\n');
  });

  it('injects parameters, and runs only the cells that were asked for', async () => {
    const notebook = write(
      'parameters.ipynb',
      { source: 'a = 1\nb = "x"', tags: ['parameters'] },
      'c = 5',
      'print(a, b, "c" in globals())',
    );
    const out = path('parameters.out.ipynb');
    const before = readFileSync(notebook, 'utf8');
    const parameters = [{ name: 'a', value: [1, null] }];
    const { ran } = await run(notebook, { output: out, parameters });
    expect(ran).toBe(4);
    expect(printed(documentAt(out), 3)).toBe('[1, None] x True\n');
    const some = await run(notebook, {
      output: out,
      parameters: [...parameters, { name: 'b', value: 2 }],
      cells: { first: 3, last: 3 },
    });
    expect(some.ran).toBe(2);
    expect(printed(documentAt(out), 3)).toBe('[1, None] 2 False\n');
    expect(readFileSync(notebook, 'utf8')).toBe(before);
  });

  it('resumes: finished cells keep their outputs and are run for their variables', async () => {
    const cells = [
      'import os, time\nx = 1\nprint(time.time_ns())',
      { source: 'open("made", "a").write("x")', tags: ['skip-on-resume'] },
      'print(x + y)',
    ];
    const notebook = write('resume.ipynb', ...cells);
    expect((await run(notebook)).failures[0]!.failure.message).toContain("name 'y' is not defined");
    const first = printed(documentAt(notebook), 0);
    const mended = readFileSync(notebook, 'utf8').replace('"print(x + y)"', '"print(x + 1)"');
    writeFileSync(notebook, mended);
    const actions: string[] = [];
    const result = await run(notebook, {
      resume: true,
      onEvent: (event) => event.type === 'start' && actions.push(`${event.cell.action} ${event.cell.number}`),
    });
    expect(result.failures).toEqual([]);
    expect(actions).toEqual(['rebuild 1', 'run 3']);
    expect(printed(documentAt(notebook), 0)).toBe(first);
    expect(printed(documentAt(notebook), 2)).toBe('2\n');
    expect(readFileSync(path('made'), 'utf8')).toBe('x');
    expect((await run(notebook, { resume: true })).ran).toBe(0);
  });

  it('does not write over what somebody else wrote meanwhile', async () => {
    const notebook = write('edited.ipynb', `open("edited.ipynb", "a").write(" ")`, 'print(1)');
    const { path: where } = await run(notebook);
    expect(where).toBe(path('edited.run.ipynb'));
    expect(
      readFileSync(notebook, 'utf8').endsWith('} ') || readFileSync(notebook, 'utf8').endsWith('\n '),
    ).toBe(true);
    expect(printed(documentAt(where), 1)).toBe('1\n');
  });

  describe('from the command line', () => {
    const cli = (...args: string[]) =>
      spawn(process.execPath, [buildFile('arclab.cjs'), 'run', ...args], { cwd: folder });
    const ended = async (child: ReturnType<typeof cli>) => {
      let text = '';
      child.stdout.on('data', (chunk) => (text += chunk));
      child.stderr.on('data', (chunk) => (text += chunk));
      const [code] = (await once(child, 'close')) as [number];
      return { code, text };
    };

    it.each<[string, string[], number, string]>([
      ['all is well', ['ok.ipynb'], 0, '2 cells in'],
      ['a cell fails', ['bad.ipynb'], 1, 'cell 1: ZeroDivisionError'],
      ['errors are allowed', ['bad.ipynb', '--allow-errors'], 0, 'cell 1: ZeroDivisionError'],
      [
        'there is no such file',
        ['absent.ipynb'],
        2,
        'error: absent.ipynb: cannot read a notebook: no such file',
      ],
      [
        'it is not JSON',
        ['broken.ipynb'],
        2,
        'error: broken.ipynb: expected a notebook, but it is not valid JSON: line 2, column 3',
      ],
      [
        'the kernel is unknown',
        ['ok.ipynb', '--kernel', 'x'],
        2,
        'error: Unknown kernel "x". Known kernels: arclab',
      ],
      [
        'the range is too long',
        ['ok.ipynb', '--cells', '2-3'],
        2,
        'error: --cells: the notebook has 2 cells, found 2-3',
      ],
      [
        'it cannot be written',
        ['ok.ipynb', '-o', 'no/where.ipynb'],
        2,
        'error: no/where.ipynb: cannot write: there is no folder',
      ],
      ['the output is a folder', ['ok.ipynb', '-o', '.'], 2, 'error: .: cannot write: it is a folder'],
      ['a value is missing', ['-p', 'a', '1', 'b', 'ok.ipynb', 'x'], 2, 'error: '],
      ['a name is none', ['ok.ipynb', '-p', 'a-b', '1'], 2, 'error: -p a-b: expected a name'],
      [
        'a parameter is not declared',
        ['-p', 'a', '1', 'ok.ipynb'],
        0,
        'warning: no cell is tagged "parameters"',
      ],
      [
        'the kernel does not start',
        ['ok.ipynb', '--kernel', 'dies'],
        2,
        'error: The kernel dies did not start: the kernel died (exit code 4); its last words: no such model',
      ],
      ['the kernel is not there', ['ok.ipynb', '--kernel', 'gone'], 2, 'cannot start /no/such/kernel'],
    ])('when %s', async (_, args, code, message) => {
      write('ok.ipynb', 'a = 1', 'a');
      write('bad.ipynb', '1/0');
      writeFileSync(path('broken.ipynb'), '{\n  cells: []}');
      for (const [name, command] of Object.entries({
        dies: [process.execPath, '-e', 'console.error("no such model"); process.exit(4)'],
        gone: ['/no/such/kernel'],
      })) {
        mkdirSync(join(folder, 'jupyter', 'kernels', name), { recursive: true });
        const spec = { argv: command, display_name: name, language: 'python' };
        writeFileSync(join(folder, 'jupyter', 'kernels', name, 'kernel.json'), JSON.stringify(spec));
      }
      const result = await ended(cli(...args));
      expect(result.text).toContain(message);
      expect(result.code).toBe(code);
      if (code === 2) expect(result.text.trimEnd()).toMatch(/^(warning: .*\n)*error: .*$/);
    });

    it('a file that is read-only stays as it is', async () => {
      chmodSync(write('read-only.ipynb', '1'), 0o444);
      const { text, code } = await ended(cli('read-only.ipynb'));
      expect([text, code]).toEqual(['error: read-only.ipynb: cannot write: the file is read-only\n', 2]);
      expect((await ended(cli('read-only.ipynb', '-o', 'copy.ipynb'))).code).toBe(0);
    });

    it.each([1, 2])(
      'Ctrl-C pressed %i times ends the run, and the file has what was there',
      async (times) => {
        const name = `interrupt-${times}.ipynb`;
        const busy =
          times === 1
            ? 'time.sleep(60)'
            : 'while True:\n    try: time.sleep(60)\n    except BaseException: print("no", flush=True)';
        write(
          name,
          'print("done")',
          `import time\nprint("begun", flush=True)\nopen("${name}.begun", "w")\n${busy}`,
          '3',
        );
        const child = cli(name);
        const end = ended(child);
        await waitFor(() => readdirSync(folder).includes(`${name}.begun`));
        child.kill('SIGINT');
        if (times === 2) {
          await new Promise((done) => setTimeout(done, 1000));
          child.kill('SIGINT');
        }
        const { code, text } = await end;
        expect(code).toBe(1);
        expect(text).toContain('cell 2: interrupted');
        expect(printed(documentAt(path(name)), 0)).toBe('done\n');
        expect(printed(documentAt(path(name)), 1)).toContain('begun\n');
        expect(documentAt(path(name)).cells[2]!.executionCount).toBe(null);
        expect(running()).toEqual([]);
      },
    );

    it('its kernel ends with it when it is killed, and nothing else is left', async () => {
      write('orphan.ipynb', 'open("orphan.begun", "w")\nimport time\nwhile True: time.sleep(0.1)');
      const child = cli('orphan.ipynb');
      await waitFor(() => readdirSync(folder).includes('orphan.begun'));
      child.kill('SIGKILL');
      await waitFor(() => running().length === 0);
      expect(connectionFolders()).toEqual([]);
    });
  });
});

async function waitFor(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 300; i++) {
    if (condition()) return;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error('waited for half a minute in vain');
}
