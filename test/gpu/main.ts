/**
 * What can only be proved on a GPU, see run.sh: conformance of the kernels, parity, speed of training and decoding.
 * With --device cpu the same on a small model, which proves nothing but that the script works.
 *
 * usage: gpu.cjs [--device cuda:0] [--dtype bfloat16] [conformance] [parity] [training] [decoding]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../../src/common/errors.js';
import { initBackend } from '../../src/tensors/backend.js';
import { assertFloatType } from '../../src/tensors/float-type.js';
import type { FloatType } from '../../src/tensors/precision.js';
import { describeGpu, findGpus } from '../../src/tensors/torch/gpus.js';
import { describeTorch } from '../../src/tensors/torch/locate.js';
import { conformance } from './conformance.js';
import { parity } from './parity.js';
import { settingsFor } from './settings.js';
import { decoding, training } from './speed.js';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      device: { type: 'string', default: 'cuda:0' },
      dtype: { type: 'string', default: 'bfloat16' },
    },
    allowPositionals: true,
  });
  const { device, dtype: type } = values;
  await initBackend('torch', { device });
  assertFloatType(type);
  const settings = settingsFor(device, type);
  const folder = mkdtempSync(join(tmpdir(), 'arclab-gpu-'));
  const types: FloatType[] = type === 'float32' ? ['float32'] : ['float32', type];
  const { gpus, absent } = findGpus();
  console.log(`node ${process.versions.node}; ${describeTorch().found}`);
  console.log(gpus.length > 0 ? gpus.map(describeGpu).join('; ') : absent);
  const { config } = settings;
  console.log(
    `on ${device}${device === 'cpu' ? ' (A SMALL MODEL: no figure here says anything about a GPU)' : ''}, ${type}, ` +
      `${config.numHiddenLayers} layers of ${config.hiddenSize}, vocabulary ${config.vocabSize}`,
  );
  const parts: Record<string, [title: string, f: () => Promise<string[]>]> = {
    conformance: [
      "the largest difference from tfjs' plain backend, relative to the largest value",
      () => conformance(device, types),
    ],
    parity: [
      'a small model: relative error against float32 by plain PyTorch on the processor',
      async () => [
        ...(await parity(folder, device, 'float32')),
        ...(type === 'float32' ? [] : await parity(folder, device, type)),
      ],
    ],
    training: [
      `a LoRA step: ${settings.batch} samples of ${settings.length} tokens, 15 % with labels, rank 32 on q, k, v, o`,
      () => training(settings, folder),
    ],
    decoding: ['a step of decoding, greedy, the tokens read by the host', () => decoding(settings)],
  };
  const failed: string[] = [];
  const broken: string[] = [];
  try {
    for (const name of positionals.length > 0 ? positionals : Object.keys(parts)) {
      const part = parts[name];
      if (!part) throw new UserError(`unknown part "${name}". Known parts: ${Object.keys(parts).join(', ')}`);
      console.log(`\n${name}: ${part[0]}`);
      try {
        failed.push(...(await part[1]()));
      } catch (error) {
        // one part that breaks must not hide what the others would tell
        console.log(error);
        broken.push(name);
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log('');
  for (const line of failed) console.log(`FALLS SHORT: ${line}`);
  for (const name of broken) console.log(`BROKE: ${name}`);
  if (failed.length + broken.length === 0) console.log('everything holds');
  return failed.length + broken.length > 0 ? 1 : 0;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error instanceof UserError ? `error: ${error.message}` : error);
    process.exit(2);
  },
);
