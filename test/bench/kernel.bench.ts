/**
 * Kernels side by side through the same client: stock tslab, Deno's (ARCLAB_DENO, or `deno` on PATH; left out where
 * there is none), ipykernel (ARCLAB_JUPYTER_PYTHON) and ours. Takes about four minutes. ARCLAB_BEFORE, the `kernel.cjs`
 * of another build, adds that one; ARCLAB_KERNELS names those that are wanted; ARCLAB_CELLS is how many cells follow
 * (1,200; with 2,450 memory is measured over 2,500).
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { arclabSpec, type Kernelspec, tslabSpec } from '../../kernel/kernelspec/spec.js';
import { KernelClient } from '../../kernel/runner/kernel-client.js';
import { buildFile } from '../../src/common/files.js';
import { row } from './report.js';

const STARTS = 5;
const TRIVIAL_CELLS = 200;
const INTERRUPTS = 5;
const CELLS = Number(process.env.ARCLAB_CELLS ?? 1200);
/** ms that an interrupt may take before it counts as not heard. */
const PATIENCE = 5000;
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
  /** Undefined where an interrupt ends no cell. */
  interruptMs: number | undefined;
  idleMb: number;
  growthMb: number;
}

function sides(): Side[] {
  const typescript = { loop: 'while (true) {}', assign: (n: number) => `let value = ${n}; value + 1` };
  const python = process.env.ARCLAB_JUPYTER_PYTHON ?? 'python3';
  return [
    { name: 'stock tslab', spec: tslabSpec(process.cwd()), ...typescript },
    ...deno().map((program) => ({
      name: 'Deno',
      spec: {
        argv: [program, 'jupyter', '--kernel', '--conn', '{connection_file}'],
        language: 'typescript',
        interrupt_mode: 'signal' as const,
      },
      ...typescript,
    })),
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
    ...before().map((bundle) => ({
      name: 'before',
      spec: {
        argv: [process.execPath, bundle, '{connection_file}'],
        language: 'typescript',
        interrupt_mode: 'message' as const,
      },
      ...typescript,
    })),
    { name: 'arclab', spec: arclabSpec(buildFile('kernel.cjs')), ...typescript },
  ];
}

/** The kernel of another build, if one is named. */
function before(): string[] {
  const bundle = process.env.ARCLAB_BEFORE;
  return bundle === undefined ? [] : [bundle];
}

/** The program, where it is installed. */
function deno(): string[] {
  const program = process.env.ARCLAB_DENO ?? 'deno';
  const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (status === 0) console.log(stdout.split('\n')[0]);
  return status === 0 ? [program] : [];
}

const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;

/** The memory of a process and of all below it, in MB. */
function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return children.reduce((sum, child) => sum + residentMb(child), Number(kb) / 1024);
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
  const interrupts = await measureInterrupts(await start(), loop);
  const client = await start();
  for (let i = 0; i < 50; i++) await runCell(client, assign(i));
  await sleep(REST);
  const idleMb = residentMb(client.process.pid!);
  const cells: number[] = [];
  for (let i = 0; i < TRIVIAL_CELLS; i++) cells.push(await runCell(client, `${i} + 1`));
  for (let i = TRIVIAL_CELLS; i < CELLS; i++) await runCell(client, assign(i));
  await sleep(REST);
  const growthMb = residentMb(client.process.pid!) - idleMb;
  await client.close();
  return {
    startMs: median(starts),
    cellMs: median(cells),
    interruptMs: interrupts.length < INTERRUPTS ? undefined : median(interrupts),
    idleMb,
    growthMb,
  };
}

/** On a kernel of their own, at rest: what checks the types of many cells would take the processor from them. */
async function measureInterrupts(client: KernelClient, loop: string): Promise<number[]> {
  await runCell(client, '1 + 1');
  await sleep(REST / 4);
  const times: number[] = [];
  for (let i = 0; i < INTERRUPTS; i++) {
    const ms = await interruptMs(client, loop);
    if (ms === undefined) {
      client.kill();
      return times;
    }
    times.push(ms);
    // tslab answers "abort" for 200 ms after an error
    await sleep(300);
  }
  await client.close();
  return times;
}

/** How long an interrupt takes to end a cell; undefined where it does not, or ends the kernel. */
async function interruptMs(client: KernelClient, loop: string): Promise<number | undefined> {
  const { done } = client.execute(loop, true);
  await sleep(300);
  const begin = performance.now();
  client.interrupt();
  const ended = await Promise.race([
    done.then(
      () => true,
      () => false,
    ),
    sleep(PATIENCE, false, { ref: false }),
  ]);
  return ended ? performance.now() - begin : undefined;
}

export async function run(): Promise<void> {
  console.log(
    `kernels: ${STARTS} starts, ${TRIVIAL_CELLS} cells, ${INTERRUPTS} interrupts (medians), growth over ${CELLS} cells`,
  );
  row('', 'start to result', 'a cell', 'interrupt', 'memory', 'growth');
  const wanted = process.env.ARCLAB_KERNELS?.split(',');
  for (const side of sides().filter(({ name }) => wanted?.includes(name) ?? true)) {
    const { startMs, cellMs, interruptMs, idleMb, growthMb } = await measureSide(side);
    row(
      side.name,
      `${(startMs / 1000).toFixed(2)} s`,
      `${cellMs.toFixed(1)} ms`,
      interruptMs === undefined ? 'never' : `${(interruptMs / 1000).toFixed(3)} s`,
      `${idleMb.toFixed(0)} MB`,
      `${growthMb.toFixed(0)} MB`,
    );
  }
}
