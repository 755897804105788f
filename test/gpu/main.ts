/**
 * What can only be proved on a GPU, see run.sh: each part in a process of its own with a limit, the most important ones
 * first, every result printed and appended to a file as it comes. With --device cpu the same on a small model, which
 * proves nothing but that the script works.
 *
 * usage: gpu.cjs [--device cuda:0] [--dtype bfloat16] [--output FILE] [--limit SECONDS] [part …]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../../src/common/errors.js';
import { initBackend } from '../../src/tensors/backend.js';
import { assertFloatType } from '../../src/tensors/float-type.js';
import { type FloatType, floatTypes } from '../../src/tensors/precision.js';
import { ALL_SECONDS, MOST_SECONDS } from './part.js';
import { parts } from './parts.js';
import { settingsFor } from './settings.js';
import { endTogether, exitCodes, supervise, type Task } from './supervise.js';

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      device: { type: 'string', default: 'cuda:0' },
      dtype: { type: 'string', default: 'bfloat16' },
      output: { type: 'string' },
      limit: { type: 'string', default: String(ALL_SECONDS) },
      alone: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const { device, dtype, output, limit, alone } = values;
  if (!floatTypes.includes(dtype as FloatType)) {
    throw new UserError(`--dtype: expected one of ${floatTypes.join(', ')}, found ${dtype}`);
  }
  const names = positionals.length > 0 ? positionals : Object.keys(parts);
  const unknown = names.find((name) => !Object.hasOwn(parts, name));
  if (unknown) {
    throw new UserError(`unknown part "${unknown}". Known parts: ${Object.keys(parts).join(', ')}`);
  }
  const total = Number(limit);
  if (!(total > 0)) throw new UserError(`--limit: expected seconds above 0, found ${limit}`);
  if (alone) return runAlone(names[0]!, device, dtype as FloatType);
  const tasks = names.map((name): Task => {
    const { title, limit: most } = parts[name]!;
    const args = [name, '--alone', '--device', device, '--dtype', dtype];
    const command = [process.execPath, process.argv[1]!, ...args] as const;
    return { name, title, limit: Math.min(most, MOST_SECONDS), command };
  });
  endTogether();
  // threads that wait for each other are slower than one, and a small model needs no more
  if (device === 'cpu') process.env.OMP_NUM_THREADS ??= '1';
  const endings = await supervise(tasks, { output, total });
  return [...endings.values()].every((ending) => ending === 'holds') ? 0 : 1;
}

/** One part, in this process. @returns the exit code */
async function runAlone(name: string, device: string, type: FloatType): Promise<number> {
  const part = parts[name]!;
  if (part.needsGpu && device === 'cpu') {
    console.log('  LEFT OUT: it needs a GPU');
    return exitCodes.holds;
  }
  const folder = mkdtempSync(join(tmpdir(), 'arclab-gpu-'));
  let isShort = false;
  try {
    await initBackend('torch', { device });
    assertFloatType(type);
    await part.run({
      settings: settingsFor(device, type),
      device,
      types: type === 'float32' ? ['float32'] : ['float32', type],
      folder,
      short(line) {
        isShort = true;
        console.log(`FALLS SHORT: ${line}`);
      },
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  return isShort ? exitCodes.short : exitCodes.holds;
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error instanceof UserError ? `error: ${error.message}` : error);
    process.exit(2);
  },
);
