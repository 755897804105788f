/**
 * Interrupts at random moments: 20,000, among them 5,000 within 25 ms of a cell's end and 500 while large results are
 * made and sent. None may be lost. Takes about a quarter of an hour; `ARCLAB_INTERRUPTS` scales the number down and
 * `ARCLAB_SEED` chooses another series.
 */
import { buildFile } from '../../src/common/files.js';
import { type FuzzPlan, fuzzInterrupts } from '../kernel/host/interrupt-fuzz.js';
import { row } from './report.js';

const WHOLE: FuzzPlan = { nearEnd: 5000, largeResult: 500, anywhere: 14_500 };

export async function run(): Promise<void> {
  const total = Object.values(WHOLE).reduce((sum, count) => sum + count);
  const share = Number(process.env.ARCLAB_INTERRUPTS ?? total) / total;
  const seed = Number(process.env.ARCLAB_SEED ?? 1);
  const plan: FuzzPlan = { ...WHOLE };
  for (const [kind, count] of Object.entries(WHOLE)) plan[kind as keyof FuzzPlan] = Math.round(share * count);
  console.log(
    `interrupts of the kernel on Node ${process.version}, seed ${seed}: ${plan.nearEnd} near a cell's end, ${plan.largeResult} in large results, ${plan.anywhere} anywhere`,
  );
  const begin = performance.now();
  const { interrupts, interrupted, lost, wrong } = await fuzzInterrupts(plan, seed, buildFile('kernel.cjs'));
  row('', 'interrupts', 'ended a cell', 'lost', 'wrong', 'minutes');
  const minutes = (performance.now() - begin) / 60_000;
  row('', `${interrupts}`, `${interrupted}`, `${lost.length}`, `${wrong.length}`, minutes.toFixed(1));
  for (const line of [...lost, ...wrong]) console.log(line);
  if (lost.length + wrong.length > 0) process.exitCode = 1;
}
