import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { ABSENCES, type Absence, prerequisites, probeMachine } from './prerequisites/probe.js';

const script = (name: string) => fileURLToPath(new URL(`../scripts/${name}`, import.meta.url));

/** What was skipped, why and how to get it: a line for each prerequisite. */
function absenceList(file: string): string[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  const files = new Map<Absence['name'], Set<string>>();
  for (const { name, testFile } of lines.map((line) => JSON.parse(line) as Absence)) {
    files.set(name, (files.get(name) ?? new Set()).add(testFile));
  }
  return [...files].map(([name, { size }]) => {
    const count = `${size} test file${size === 1 ? '' : 's'}`;
    return `  ${name}: not found, so tests in ${count} were skipped. To run them: ${prerequisites[name]}`;
  });
}

/**
 * Builds dist/ from today's source, so that worker threads and the command line under test are those of the source, looks once at what this machine has, and ends with the list of what was skipped.
 */
export default function setup({ provide }: TestProject): () => void {
  // what commands print is compared as text, wherever the tests run
  delete process.env.FORCE_COLOR;
  execFileSync(process.execPath, [script('build.mjs'), '--clean'], { stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'arclab-tests-'));
  provide('found', probeMachine());
  provide('runFolder', folder);
  return () => {
    const list = absenceList(join(folder, ABSENCES));
    if (list.length > 0) process.stdout.write(`\nSkipped on this machine:\n${list.join('\n')}\n`);
    rmSync(folder, { recursive: true });
  };
}
