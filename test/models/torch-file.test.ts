/** adapter_model.bin: what torch.save writes is read, and nothing in it is run. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openFile } from '../../src/common/disk-folder.js';
import { AdapterError } from '../../src/models/errors.js';
import { loadDecoder } from '../../src/models/load.js';
import { PickleError, readPickle } from '../../src/models/pickle.js';
import { readSafetensors } from '../../src/models/safetensors.js';
import { TorchFile } from '../../src/models/torch-file.js';
import * as tf from '../../src/tensors/tf.js';
import { fixture, packed, relativeError, useBackend } from '../parity/fixtures.js';

const at = (name: string) => fileURLToPath(new URL(`./fixtures/torch/${name}`, import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'arclab-torch-'));
afterAll(() => rmSync(scratch, { recursive: true }));
beforeAll(() => useBackend('cpu'));

const openTorch = (path: string) => new TorchFile(path, () => openFile(path));

const readAll = (path: string) => {
  const file = openTorch(path);
  return new Map(Array.from(file.tensors.keys(), (name) => [name, file.read(name)]));
};

it.each([
  ['dict.bin', 'dict.safetensors'],
  ['state-dict.bin', 'state-dict.safetensors'],
  ['parameters.bin', 'state-dict.safetensors'],
])('%s has the tensors of %s', (name, same) => {
  const expected = readSafetensors(at(same));
  const found = readAll(at(name));
  expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [key, { shape, values, dtype }] of found) {
    expect({ shape, values, dtype }, key).toEqual(expected.get(key));
  }
});

it.each([
  ['calls-system.bin', /its pickle calls posix\.system, which is not part of a dict of tensors/],
  ['calls-eval.bin', /its pickle calls (__builtin__|builtins)\.eval,/],
  ['calls-getattr.bin', /its pickle calls (__builtin__|builtins)\.getattr,/],
  ['module.bin', /its pickle (calls|adds|has) /],
  ['numbers.bin', /its dict has step, which is no tensor by name/],
  ['tensor.bin', /it holds no dict/],
  ['legacy.bin', /it is no zip archive/],
  ['expanded.bin', /a tensor of shape \[1000,1000\] reaches beyond data\/0/],
  ['compressed.bin', /archive\/data.pkl in it is compressed/],
  ['dict.safetensors', /it is no zip archive/],
])('%s is refused in one line, with the command that converts it', (name, message) => {
  const open = () => openTorch(at(name));
  expect(open).toThrow(AdapterError);
  expect(open).toThrow(message);
  expect(open).toThrow(
    /^[^\n]*convert it beside it: python -c "import torch, safetensors.torch as s; s.save_file[^\n]*$/,
  );
});

it('a damaged file is an error, wherever it is damaged', () => {
  const bytes = readFileSync(at('state-dict.bin'));
  const path = join(scratch, 'damaged.bin');
  for (const length of [0, 10, 100, bytes.length - 30, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, length));
    expect(() => openTorch(path), `${length} bytes`).toThrow(AdapterError);
  }
  // one byte after another: read, or refused, and never anything else
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes);
    changed[i]! ^= 0xff;
    writeFileSync(path, changed);
    try {
      readAll(path);
    } catch (error) {
      expect(error, `byte ${i}`).toBeInstanceOf(AdapterError);
    }
  }
  expect(() => openTorch(join(scratch, 'none.bin'))).toThrow(/cannot read it: /);
});

it.each<[string, number[], RegExp]>([
  ['an opcode of no state dict', [0x80, 2, 0x50], /the opcode 80, which no state dict needs/],
  ['one that makes an instance', [0x80, 2, 0x28, 0x69, ...Buffer.from('os\nsystem\n')], /the opcode 105/],
  ['what is not there', [0x80, 2, 0x52], /takes what is not there/],
  ['a call of a result', [0x80, 2, 0x7d, 0x29, 0x52], /calls what is no name/],
  ['a name alone', [0x80, 2, 0x63, ...Buffer.from('os\nsystem\n'), 0x2e], /is the name os\.system/],
  ['a memo that is empty', [0x80, 2, 0x68, 7], /recalls what it has not kept/],
  ['an end in the middle', [0x80, 2, 0x58, 255, 255, 255, 255], /ends in the middle/],
  ['a list of no list', [0x80, 2, 0x4e, 0x4e, 0x61], /adds to what is no list or dict/],
  ['items without a mark', [0x80, 2, 0x7d, 0x75], /takes what is not there/],
  ['a huge integer', [0x80, 2, 0x8a, 200], /more than 64 bits/],
])('a pickle with %s is refused', (_, bytes, message) => {
  const meaning = {
    call: () => {
      throw new PickleError('called');
    },
    persistent: () => null,
  };
  const read = () => readPickle(Uint8Array.from(bytes), meaning);
  expect(read).toThrow(PickleError);
  expect(read).toThrow(message);
});

it('PEFT adapters in it give the same logits', async () => {
  const folder = join(scratch, 'adapter');
  cpSync(fixture('llama', 'saved-tables-bin'), folder, { recursive: true });
  expect(readdirSync(folder)).not.toContain('adapter_model.safetensors');
  const decoder = await loadDecoder(fixture('llama'), { adapterPath: folder });
  const logits = tf.tidy(() => decoder.logits(decoder.forward(packed)).dataSync<'float32'>().slice());
  const expected = readSafetensors(fixture('llama', 'saved-tables', 'expected.safetensors')).get('logits')!;
  expect(relativeError(logits, expected)).toBeLessThan(1e-4);
  decoder.dispose();
});
