/** What we save, loaded by transformers and PEFT. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadDecoder } from '../../src/models/load.js';
import { readSafetensors } from '../../src/models/safetensors.js';
import { saveAdapter, saveModel } from '../../src/models/save.js';
import { programUnderTest } from '../prerequisites/index.js';
import { expectedOf, families, fixture, relativeError, useBackend } from './fixtures.js';

const python = programUnderTest('python with peft');
const script = fileURLToPath(new URL('./reload.py', import.meta.url));
const kinds = ['lora', 'rslora', 'dora'];

describe.skipIf(python === undefined)('transformers and PEFT load what is saved', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'arclab-reload-'));
  const cases = families.flatMap((family) => kinds.map((kind) => [family, kind] as const));
  const at = (...names: string[]) => join(scratch, names.join('-'));

  beforeAll(async () => {
    await useBackend('cpu');
    for (const [family, kind] of cases) {
      const decoder = await loadDecoder(fixture(family), { adapterPath: fixture(family, kind) });
      await saveModel(decoder, at(family, kind, 'merged'));
      await saveAdapter(decoder, at(family, kind, 'adapter'));
      decoder.dispose();
    }
    const models = cases.flatMap(([family, kind]) => [
      [at(family, kind, 'merged')],
      [fixture(family), at(family, kind, 'adapter')],
    ]);
    execFileSync(python!, [script, JSON.stringify(models), at('logits')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  }, 240_000);
  afterAll(() => rmSync(scratch, { recursive: true }));

  it.each(cases)('%s with %s, merged and as an adapter: the same logits', (family, kind) => {
    const logits = readSafetensors(at('logits'));
    const expected = expectedOf(family, kind).get('logits')!;
    for (const name of [at(family, kind, 'merged'), at(family, kind, 'adapter')]) {
      expect(relativeError(logits.get(name)!.values as Float32Array, expected), name).toBeLessThan(1e-4);
    }
  });
});
