/**
 * Three kernels side by side through the same client: stock tslab, ipykernel (ARCLAB_JUPYTER_PYTHON) and ours.
 * Takes about three minutes.
 */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { arclabSpec, type Kernelspec, tslabSpec } from '../../kernel/kernelspec/spec.js';
import { KernelClient } from '../../kernel/runner/kernel-client.js';
import { buildFile } from '../../src/common/files.js';
import { row } from './report.js';

const STARTS = 5;
const TRIVIAL_CELLS = 200;
const INTERRUPTS = 5;
const MANY_CELLS = 1000;
/** ms in which what runs beside the cells, such as a type checker, comes to rest */
const REST = 10_000;

interface Side {
  name: string;
  spec: Pick<Kernelspec, 'argv' | 'language' | 'interrupt_mode'>;
  loop: string;
  assign: (n: number) => string;
}

interface Figures {
  startMs: number;
  cellMs: number;
  interruptMs: number;
  idleMb: number;
  growthMb: number;
}

function sides(): Side[] {
  const typescript = { loop: 'while (true) {}', assign: (n: number) => `let value = ${n}; value + 1` };
  const python = process.env.ARCLAB_JUPYTER_PYTHON ?? 'python3';
  return [
    { name: 'stock tslab', spec: tslabSpec(process.cwd()), ...typescript },
    {
      name: 'ipykernel',
      spec: {
        argv: [python, '-m', 'ipykernel_launcher', '-f', '{connection_file}'],
        language: 'python',
        interrupt_mode: 'signal',
      },
      loop: 'while True: pass',
      assign: (n) => `value = ${n}; value + 1`,
    },
    { name: 'arclab', spec: arclabSpec(buildFile('kernel.cjs')), ...typescript },
  ];
}

const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

/** The memory of a kernel's process, in MB. */
function residentMb({ process: { pid } }: KernelClient): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kb) / 1024;
}

async function runCell(client: KernelClient, code: string): Promise<number> {
  const begin = performance.now();
  await client.execute(code, true).done;
  return performance.now() - begin;
}

async function measureSide({ name, spec, loop, assign }: Side): Promise<Figures> {
  const { argv, language, interrupt_mode: interruptMode } = spec;
  const start = () => KernelClient.start({ name, language, argv, env: {}, interruptMode }, tmpdir());
  const starts: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const begin = performance.now();
    const client = await start();
    await runCell(client, '1 + 1');
    starts.push(performance.now() - begin);
    await client.close();
  }
  const client = await start();
  for (let i = 0; i < 50; i++) await runCell(client, assign(i));
  await sleep(REST);
  const idleMb = residentMb(client);
  const cells: number[] = [];
  for (let i = 0; i < TRIVIAL_CELLS; i++) cells.push(await runCell(client, `${i} + 1`));
  const interrupts: number[] = [];
  for (let i = 0; i < INTERRUPTS; i++) {
    const { done } = client.execute(loop, true);
    await sleep(300);
    const begin = performance.now();
    client.interrupt();
    await done;
    interrupts.push(performance.now() - begin);
    // tslab answers "abort" for 200 ms after an error
    await sleep(300);
  }
  for (let i = 0; i < MANY_CELLS; i++) await runCell(client, assign(i));
  await sleep(REST);
  const growthMb = residentMb(client) - idleMb;
  await client.close();
  return {
    startMs: median(starts),
    cellMs: median(cells),
    interruptMs: median(interrupts),
    idleMb,
    growthMb,
  };
}

export async function run(): Promise<void> {
  console.log(
    `kernels: ${STARTS} starts, ${TRIVIAL_CELLS} cells, ${INTERRUPTS} interrupts (medians), growth over 1,200 cells`,
  );
  row('', 'start to result', 'a cell', 'interrupt', 'memory', 'growth');
  for (const side of sides()) {
    const { startMs, cellMs, interruptMs, idleMb, growthMb } = await measureSide(side);
    row(
      side.name,
      `${(startMs / 1000).toFixed(2)} s`,
      `${cellMs.toFixed(1)} ms`,
      `${(interruptMs / 1000).toFixed(3)} s`,
      `${idleMb.toFixed(0)} MB`,
      `${growthMb.toFixed(0)} MB`,
    );
  }
}
