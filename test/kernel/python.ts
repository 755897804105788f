import { execFileSync } from 'node:child_process';

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
