import { knownBackends } from '../../src/tensors/backend.js';

/**
 * Names of the backends that are present and are compared with the plain one. What is absent is said aloud, and is a
 * failure when ARCLAB_REQUIRED_BACKENDS (names between commas) lists it: a green run must not have skipped it.
 */
export function backendsUnderTest(): string[] {
  const compared = knownBackends().filter(({ name }) => name !== 'cpu');
  const required = (process.env.ARCLAB_REQUIRED_BACKENDS ?? '').split(',').filter((name) => name !== '');
  const absent = compared.filter((entry) => !entry.isPresent()).map(({ name }) => name);
  const missing = required.filter((name) => absent.includes(name) || !compared.some((b) => b.name === name));
  if (missing.length > 0) throw new Error(`required backends are not present: ${missing.join(', ')}`);
  if (absent.length > 0) process.stderr.write(`SKIPPED, because absent here: ${absent.join(', ')}\n`);
  return compared.filter((entry) => entry.isPresent()).map(({ name }) => name);
}
