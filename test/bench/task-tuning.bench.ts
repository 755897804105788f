/**
 * What comes between the steps when one task after the other is fine-tuned on: putting the adapter back and making the
 * samples, against 64 steps of a model of Qwen2-0.5B's shape. Layers of it are counted and not built, because each takes
 * the same; torch, on the processor. A minute.
 */
import { join } from 'node:path';
import type { Grid, Task } from '../../src/arc/types.js';
import { packageRoot } from '../../src/common/files.js';
import { Rng } from '../../src/common/rng.js';
import { sessionFineTuneOnTaskOptions } from '../../src/options/training.js';
import { parseGridEncoder } from '../../src/prompts/grid-encoder.js';
import { getPromptKind, PromptBuilder } from '../../src/prompts/index.js';
import { openTokenizer } from '../../src/session/prompts.js';
import { TaskSamples } from '../../src/session/task-samples.js';
import { freshAdapter, TaskTuner } from '../../src/session/task-tuning.js';
import { initBackend } from '../../src/tensors/backend.js';
import { qwenConfig, qwenDecoder } from './qwen.js';
import { row } from './report.js';

const STEPS = 64;
/** Layers that are built, and steps that are taken. */
const [FEW, MORE, TAKEN] = [1, 3, 4];

/** Four samples of 10×10: prompts of about a thousand tokens. */
function task(): Task {
  const rng = Rng.of(0, 'bench task');
  const grid = (): Grid => Array.from({ length: 10 }, () => Array.from({ length: 10 }, () => rng.int(0, 9)));
  const sample = () => ({ input: grid(), output: grid() });
  return { train: [sample(), sample(), sample(), sample()], test: [{ input: grid() }] };
}

const config = sessionFineTuneOnTaskOptions.check({ maxSteps: TAKEN, lossOn: 'every-answer' });

/** Seconds of a step, and of what comes before the first and after the last, with so many layers. */
async function measureLayers(numHiddenLayers: number, prompts: PromptBuilder) {
  const decoder = qwenDecoder(undefined, { config: { ...qwenConfig, numHiddenLayers } });
  const start = await freshAdapter(decoder, config);
  const tuner = new TaskTuner(decoder, prompts, config);
  // the first touches memory that the others find
  await tuner.tune(start, ['warm', task()]);
  const { seconds, stepSeconds } = await tuner.tune(start, ['task', task()]);
  decoder.dispose();
  return { step: stepSeconds / TAKEN, reset: seconds - stepSeconds };
}

export async function run(): Promise<void> {
  await initBackend('torch', { device: 'cpu' });
  const { tokenizer } = openTokenizer(join(packageRoot(), 'assets/base-model'));
  const encoder = parseGridEncoder('MinimalGridEncoder()');
  const prompts = new PromptBuilder({ tokenizer, encoder, kind: getPromptKind(config.promptVersion) });
  const samples = new TaskSamples('task', task(), prompts, config);
  samples.item(0);
  const began = performance.now();
  for (let i = 0; i < STEPS; i++) samples.item(i);
  const data = (performance.now() - began) / 1000;
  const few = await measureLayers(FEW, prompts);
  const more = await measureLayers(MORE, prompts);
  const layers = qwenConfig.numHiddenLayers;
  const whole = (what: 'step' | 'reset') =>
    few[what] + ((more[what] - few[what]) / (MORE - FEW)) * (layers - FEW);
  const steps = STEPS * whole('step');
  const reset = Math.max(few.reset, whole('reset'));
  console.log(`${STEPS} steps of a task, of ${layers} layers by ${FEW} and ${MORE} that were measured`);
  row('', 'seconds', 'part');
  const part = (seconds: number) => `${((100 * seconds) / steps).toFixed(2)} %`;
  row('steps', steps.toFixed(1), '');
  row('putting the adapter back and reading it', reset.toFixed(3), part(reset));
  row('making its samples', data.toFixed(3), part(data));
}
