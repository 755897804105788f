/**
 * A LoRA step of a model of Qwen2-0.5B's shape (or ARCLAB_SHAPE=Qwen3-0.6B) in float32 on the CPU, ours on libtorch against transformers + peft
 * on the same torch: one sample of 1,024 tokens, plain, with DoRA and with dropout, and four samples of 200–400 tokens, packed
 * here and one at a time there. 15 % of the tokens have labels. Needs ARCLAB_PYTHON, a Python with torch,
 * transformers and peft. Takes about twelve minutes on two cores.
 */
import { initBackend } from '../../src/tensors/backend.js';
import type { TrainingSample } from '../../src/training/sample.js';
import { Trainer } from '../../src/training/trainer.js';
import { askPython, askSide, peakBytes } from './processes.js';
import { adaptedQwen, randomTokens, shapeName } from './qwen.js';
import { row } from './report.js';

interface Measurement {
  seconds: number;
  peak: number;
}

/** What is trained, on both sides. */
interface Setting {
  lengths: number[];
  dora?: boolean;
  dropout?: number;
}

const STEPS = 2;

const cases: (Setting & { name: string })[] = [
  { name: 'LoRA, 1,024 tokens', lengths: [1024] },
  { name: 'DoRA, 1,024 tokens', lengths: [1024], dora: true },
  { name: 'LoRA with dropout 0.1, 1,024 tokens', lengths: [1024], dropout: 0.1 },
  { name: 'LoRA, samples of 220, 260, 280 and 264 tokens', lengths: [220, 260, 280, 264] },
];

function sample(length: number, index: number): TrainingSample {
  const tokens = Int32Array.from(randomTokens(length, `sample ${index}`));
  return {
    tokens,
    index: 0,
    labelSpans: [[Math.floor(length * 0.85), length]],
    weight: 1,
    kind: 'bench',
    dataset: 'bench',
  } as TrainingSample;
}

/** Our side, in a process of its own; the setting is JSON. */
export async function measure(
  setting: string,
  checkpointing = '0',
  steps = String(STEPS),
): Promise<Measurement> {
  const { lengths, dora, dropout } = JSON.parse(setting) as Setting;
  await initBackend('torch');
  const samples = lengths.map(sample);
  let at = 0;
  const decoder = await adaptedQwen({ useDora: dora === true, dropout });
  decoder.gradientCheckpointing = checkpointing === '1';
  const trainer = new Trainer(
    decoder,
    { next: async () => samples[at++ % samples.length] as TrainingSample },
    {
      seed: 0,
      schedule: () => 1e-4,
      batchSize: samples.length,
      maxTokensPerBatch: 2048,
      maxGradNorm: 0,
      weightDecay: 0.01,
    },
  );
  const times: number[] = [];
  for (let i = 0; i <= Number(steps); i++) times.push((await trainer.step()).seconds);
  return { seconds: times.slice(1).sort((a, b) => a - b)[Number(steps) >> 1] as number, peak: peakBytes() };
}

export async function run(): Promise<void> {
  const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  for (const { name, ...setting } of cases) {
    const tokens = setting.lengths.reduce((sum, length) => sum + length, 0);
    console.log(`training step, ${shapeName} shape, float32 on the CPU: ${name}`);
    const ours = askSide<Measurement>('torch-train', JSON.stringify(setting));
    const theirs = askPython<Measurement>('train', JSON.stringify(setting), String(STEPS));
    for (const [side, { seconds, peak }] of [
      ['transformers + peft', theirs],
      ['arclab', ours],
    ] as const) {
      row(side, `${seconds.toFixed(2)} s`, `${(tokens / seconds).toFixed(1)} tokens/s`, gigabytes(peak));
    }
    row(
      'ratio',
      `${(theirs.seconds / ours.seconds).toFixed(2)} ×`,
      '',
      `${(ours.peak / theirs.peak).toFixed(2)} ×`,
    );
  }
  console.log('the same with gradient checkpointing: LoRA, 2,048 tokens');
  const [plain, checkpointed] = ['0', '1'].map((on) =>
    askSide<Measurement>('torch-train', JSON.stringify({ lengths: [2048] } satisfies Setting), on, '1'),
  ) as [Measurement, Measurement];
  for (const [side, { seconds, peak }] of [
    ['everything kept', plain],
    ['--gradient_checkpointing', checkpointed],
  ] as const) {
    row(side, `${seconds.toFixed(2)} s`, '', gigabytes(peak));
  }
  const [time, memory] = [checkpointed.seconds / plain.seconds, checkpointed.peak / plain.peak];
  row('ratio', `${time.toFixed(2)} ×`, '', `${memory.toFixed(2)} ×`);
}
