/** A PiSSA adapter of PEFT whose base is wider than what a fixture may hold: the initial weights are computed again. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { loadDecoder } from '../../src/models/load.js';
import { readSafetensors } from '../../src/models/safetensors.js';
import * as tf from '../../src/tensors/tf.js';
import { programUnderTest } from '../prerequisites/index.js';
import { packed, relativeError, useBackend } from './fixtures.js';

const python = programUnderTest('python with peft');
const script = fileURLToPath(new URL('./wide_pissa.py', import.meta.url));

it.skipIf(python === undefined)(
  'an adapter of a base of width 512 gives the logits of PEFT within 1e-5',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'arclab-pissa-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    execFileSync(python!, [script, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    await useBackend('wasm');
    const logits = async (adapter?: string) => {
      const decoder = await loadDecoder(
        join(folder, 'base'),
        adapter === undefined ? {} : { adapterPath: adapter },
      );
      const values = tf.tidy(() => decoder.logits(decoder.forward(packed)).dataSync<'float32'>().slice());
      decoder.dispose();
      return values;
    };
    const expected = readSafetensors(join(folder, 'expected.safetensors')).get('logits')!
      .values as Float32Array;
    expect(relativeError(await logits(join(folder, 'adapter')), expected)).toBeLessThan(1e-5);
    expect(relativeError(await logits(), expected)).toBeGreaterThan(0.1);
  },
  120_000,
);
