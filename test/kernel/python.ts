import { execFileSync } from 'node:child_process';

/**
 * The Python that has Jupyter, the reference of these tests: ARCLAB_JUPYTER_PYTHON, or `python3`. What is absent is
 * said aloud, and is a failure when ARCLAB_REQUIRED_JUPYTER=1: a green run must not have skipped it.
 */
export function jupyterPython(): string | undefined {
  const python = process.env.ARCLAB_JUPYTER_PYTHON ?? 'python3';
  try {
    execFileSync(python, ['-c', 'import nbformat, nbclient, ipykernel'], { stdio: 'pipe' });
    return python;
  } catch {
    if (process.env.ARCLAB_REQUIRED_JUPYTER === '1') {
      throw new Error(
        `${python} has no nbformat, nbclient and ipykernel, which ARCLAB_REQUIRED_JUPYTER asks for`,
      );
    }
    process.stderr.write('SKIPPED, because absent here: Jupyter for Python (set ARCLAB_JUPYTER_PYTHON)\n');
    return undefined;
  }
}

/** Runs a script and parses the JSON that it prints. @param input its standard input */
export function runPython(python: string, script: string, input: string, args: string[] = []): unknown {
  const text = execFileSync(python, ['-W', 'ignore', '-c', script, ...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  return JSON.parse(text);
}
