/**
 * What a newcomer's machine may lack. A test that needs some of it asks here, is skipped where it is absent, and the
 * run ends with one list of what was skipped, why, and how to get it. ARCLAB_REQUIRED, names between commas or `all`,
 * makes absence a failure: a green run on a machine that should have everything must not have skipped anything.
 */
import { appendFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, inject } from 'vitest';
import { knownBackends } from '../../src/tensors/backend.js';
import { ABSENCES, type Absence, type Found, type Prerequisite, prerequisites } from './probe.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** What {@link probeMachine} found. */
    found: Found;
    /** A folder of this run of the tests. */
    runFolder: string;
  }
}

/** Whether a prerequisite must be there. */
function isRequired(name: Prerequisite): boolean {
  const required = (process.env.ARCLAB_REQUIRED ?? '').split(',').map((part) => part.trim());
  const unknown = required.find(
    (part) => part !== '' && part !== 'all' && !Object.hasOwn(prerequisites, part),
  );
  if (unknown !== undefined) throw new Error(`ARCLAB_REQUIRED: there is no prerequisite ${unknown}`);
  return required.includes('all') || required.includes(name);
}

/** Notes that tests of this file are skipped. @throws {Error} when it is required */
function reportAbsence(name: Prerequisite): void {
  const { testPath = 'an unknown file' } = expect.getState();
  if (isRequired(name)) {
    throw new Error(
      `${testPath}: ${name} is absent and ARCLAB_REQUIRED asks for it; get ${prerequisites[name]}`,
    );
  }
  const absence: Absence = { name, testFile: relative(process.cwd(), testPath) };
  appendFileSync(join(inject('runFolder'), ABSENCES), `${JSON.stringify(absence)}\n`);
}

/** The program behind a prerequisite; undefined, and reported as skipped, where it is absent. */
export function programUnderTest(name: Exclude<Prerequisite, 'torch' | 'tensorflow'>): string | undefined {
  const program = inject('found')[name];
  if (program === undefined) reportAbsence(name);
  return program;
}

/** The Python of the tests, when it finds all of these modules; undefined, and reported as skipped, otherwise. */
export function pythonWith(
  ...modules: readonly Exclude<
    Prerequisite,
    'torch' | 'tensorflow' | 'webgpu' | 'browser' | 'deno' | 'bun' | 'redis-server' | 'mpirun' | 'c compiler'
  >[]
): string | undefined {
  const pythons = (modules.length === 0 ? (['python'] as const) : modules).map(programUnderTest);
  return pythons.includes(undefined) ? undefined : pythons[0];
}

/** The names of the backends of an installed library; {@link backendsUnderTest} says which are present. */
export const nativeBackends = ['torch', 'tensorflow'] as const;

/**
 * Names of the backends that are present and are compared with tfjs' `cpu`; absent ones are reported as skipped.
 * @param options `awaited`: also the one that a test can read from only by awaiting
 */
export function backendsUnderTest({ awaited = false } = {}): string[] {
  const compared = knownBackends().filter(({ name }) => name !== 'cpu' && name !== 'webgpu');
  for (const entry of compared) if (!entry.isPresent()) reportAbsence(entry.name as Prerequisite);
  const present = compared.filter((entry) => entry.isPresent()).map(({ name }) => name);
  return awaited ? [...present, ...webGpuUnderTest()] : present;
}

/** The backends that need nothing beside Node. */
const EMBEDDED = ['cpu', 'wasm'];

/**
 * Of these backends, the ones that this run of the tests leaves open: `npm run test:installed` comes after `npm test`,
 * which has tested the embedded ones, and repeats them only where there is no other.
 */
export function openBackends(names: readonly string[]): readonly string[] {
  const others = names.filter((name) => !EMBEDDED.includes(name));
  return process.env.ARCLAB_TEST_MODE === 'installed' && others.length > 0 ? others : names;
}

/** The adapter that tests of `webgpu` run on: SwiftShader, or what ARCLAB_ADAPTER begins the name of. */
export const softwareAdapter = (): string => process.env.ARCLAB_ADAPTER ?? 'swiftshader';

/** The backend `webgpu` on a driver that computes on the processor; nothing, and reported as skipped, without one. */
export function webGpuUnderTest(): string[] {
  const driver = programUnderTest('webgpu');
  if (driver === undefined) return [];
  process.env.VK_ICD_FILENAMES ??= driver;
  return ['webgpu'];
}
