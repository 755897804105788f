/**
 * Interrupts at random moments, through a Jupyter client: does every cell end, and does the kernel still run cells
 * afterwards? Used by a test (shortened) and by a bench (whole).
 */
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { arclabSpec } from '../../../kernel/kernelspec/spec.js';
import { type ExecuteReply, KernelClient } from '../../../kernel/runner/kernel-client.js';
import { Rng } from '../../../src/common/rng.js';

/** How many interrupts of each kind. */
export interface FuzzPlan {
  /** At most 25 ms before or after the moment at which the cell ends by itself. */
  nearEnd: number;
  /** While a result of megabytes is made and sent. */
  largeResult: number;
  /** Anywhere in cells of all kinds. */
  anywhere: number;
}

export interface FuzzReport {
  interrupts: number;
  /** How many cells an interrupt ended. */
  interrupted: number;
  /** Cells that never ended, and how to get there. */
  lost: string[];
  /** Cells that gave something wrong after an interrupt. */
  wrong: string[];
}

interface Trial {
  code: string;
  /** ms after which the interrupt is sent. */
  delay: number;
}

/** How long a cell may take to end after its interrupt before it counts as lost, in ms. */
const PATIENCE = 20_000;
const NEAR = 25;

/** Cells that end by themselves after about so many ms, each in another way. */
const ENDING: ((ms: number) => string)[] = [
  (ms) => `{ const t = performance.now(); while (performance.now() - t < ${ms}); } 1`,
  (ms) => `await new Promise((r) => setTimeout(r, ${ms})); 2`,
  (ms) => `{ const t = performance.now(); while (performance.now() - t < ${ms}) await null; } 3`,
  (ms) => `await null; { const t = performance.now(); while (performance.now() - t < ${ms}); } 4`,
  (ms) => `{ const t = performance.now(); while (performance.now() - t < ${ms}) console.log('line'); } 5`,
  (ms) => `{ const t = performance.now(); while (performance.now() - t < ${ms}); } throw new Error('own')`,
  (ms) =>
    `({ [Symbol.for('nodejs.util.inspect.custom')]() { const t = performance.now(); while (performance.now() - t < ${ms}); return 'shown' } })`,
  (ms) => `{ const t = performance.now(); while (performance.now() - t < ${ms}); } process.exit(3)`,
  (ms) => `setTimeout(() => process.exit(0), ${ms}); await new Promise(() => {})`,
  (ms) =>
    `await new Promise((r) => { const t = performance.now(); const f = () => performance.now() - t < ${ms} ? setImmediate(f) : r(0); f() })`,
  (ms) =>
    `await new Promise((r) => { const t = performance.now(); const f = () => performance.now() - t < ${ms} ? process.nextTick(f) : setTimeout(r, 0); f() })`,
];

/** Cells that an interrupt has to end. */
const ENDLESS = [
  'while (true) {}',
  'while (true) await null',
  'await new Promise(() => {})',
  "while (true) console.log('line')",
  "for (;;) { display('x'.repeat(3e5)); await null }",
  'while (true) { try { while (true) {} } catch {} }',
  "await (await import('node:timers/promises')).setTimeout(1e6)",
];

function nearEnd(rng: Rng): Trial {
  const ms = rng.int(1, 40);
  return { code: rng.pick(ENDING)(ms), delay: Math.max(0, ms + (2 * rng.uniform() - 1) * NEAR) };
}

function largeResult(rng: Rng): Trial {
  const length = Math.round(10 ** (5 + 2 * rng.uniform()));
  const text = `'"é'.repeat(${length})`;
  const code = rng.pick([
    `({ [Symbol.for('Jupyter.display')]: () => ({ 'text/html': ${text} }) })`,
    `display({ 'text/plain': ${text} }, { raw: true }); 0`,
    `Array.from({ length: ${Math.round(length / 100)} }, (_, i) => ({ i, text: 'x'.repeat(80) }))`,
    `${text}`,
  ]);
  return { code, delay: (length / 1e5) * 3 * rng.uniform() };
}

function anywhere(rng: Rng): Trial {
  if (rng.chance(0.3)) return { code: rng.pick(ENDLESS), delay: 30 * rng.uniform() };
  const ms = rng.int(0, 30);
  const lines = rng.chance(0.2)
    ? Array.from({ length: 2000 }, (_, i) => `let name${i} = ${i};`).join('\n')
    : '';
  return { code: `${lines}\n${rng.pick(ENDING)(ms)}`, delay: (ms + 15) * rng.uniform() };
}

/** The trials of a plan in a random order. */
function* trialsOf(plan: FuzzPlan, seed: number): Iterable<Trial> {
  const kinds = Object.entries({ nearEnd, largeResult, anywhere }).flatMap(([name, make]) =>
    Array.from({ length: plan[name as keyof FuzzPlan] }, () => make),
  );
  const rng = Rng.of(seed, 'interrupts');
  for (const make of rng.shuffle(kinds)) yield make(rng);
}

/** Carries out a plan on a kernel of its own, which is started again where it was lost. */
export async function fuzzInterrupts(plan: FuzzPlan, seed: number, bundle: string): Promise<FuzzReport> {
  const report: FuzzReport = { interrupts: 0, interrupted: 0, lost: [], wrong: [] };
  let client = await start(bundle);
  for (const trial of trialsOf(plan, seed)) {
    const problem = await attempt(client, trial, report);
    if (problem === undefined) continue;
    report[problem.kind].push(
      `${problem.what}: ${trial.code.slice(-200)} after ${trial.delay.toFixed(1)} ms`,
    );
    if (problem.kind === 'wrong') continue;
    client.kill();
    client = await start(bundle);
  }
  await client.close();
  return report;
}

async function start(bundle: string): Promise<KernelClient> {
  const { argv, language, interrupt_mode: interruptMode } = arclabSpec(bundle);
  const env = { ARCLAB_KERNEL_TYPES: 'off' };
  return KernelClient.start({ name: 'arclab', language, argv, env, interruptMode }, tmpdir());
}

type Problem = { kind: 'lost' | 'wrong'; what: string };

async function attempt(
  client: KernelClient,
  { code, delay }: Trial,
  report: FuzzReport,
): Promise<Problem | undefined> {
  const { done } = client.execute(code, true);
  await sleep(delay);
  report.interrupts++;
  client.interrupt();
  const reply = await inTime(done);
  if (typeof reply === 'string') return { kind: 'lost', what: reply };
  if (reply.ename === 'KernelInterrupted') report.interrupted++;
  // the interrupt may have come after its cell, and then have met the first of these
  for (let i = 0; i < 2; i++) {
    const next = await inTime(client.execute('20 + 22', true).done);
    if (typeof next === 'string') return { kind: 'lost', what: `the next cell: ${next}` };
    if (next.status === 'ok') return undefined;
    if (next.ename !== 'KernelInterrupted') return { kind: 'wrong', what: `${next.ename}: ${next.evalue}` };
  }
  return { kind: 'wrong', what: 'one interrupt has ended two cells' };
}

async function inTime(done: Promise<ExecuteReply>): Promise<ExecuteReply | string> {
  const timer = new AbortController();
  const late = sleep(PATIENCE, 'it did not end', { signal: timer.signal }).catch(() => '');
  try {
    return await Promise.race([done, late]);
  } catch (error) {
    return `the kernel ended (${(error as Error).message})`;
  } finally {
    timer.abort();
  }
}
