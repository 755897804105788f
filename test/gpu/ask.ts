import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Runs reference.py, which lies beside this bundle or in its place among the sources, and reads its lines of JSON. */
export function askReference<T>(...args: string[]): T[] {
  const here = dirname(fileURLToPath(import.meta.url));
  const script = [join(here, 'reference.py'), join(here, '../test/gpu/reference.py')].find((path) =>
    existsSync(path),
  )!;
  const output = execFileSync(process.env.ARCLAB_PYTHON || 'python3', [script, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as T);
}
