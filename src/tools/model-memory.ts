import { messageOf } from '../common/errors.js';
import { formatBytes } from '../common/format-bytes.js';
import { type DecoderConfig, loadDecoder, modelShapes, readConfig, resolveModel } from '../models/index.js';
import { type WeightForm, weightBytes } from '../models/weight-bytes.js';
import { doctorOptions } from '../options/other.js';
import type { OptionsOf } from '../options/table.js';
import { initBackend } from '../tensors/backend.js';
import { OutOfMemoryError } from '../tensors/errors.js';
import type { FloatType } from '../tensors/precision.js';
import * as tf from '../tensors/tf.js';
import { freeGpuMemory } from '../tensors/torch/gpus.js';
import { trainingBytes } from '../training/memory.js';
import { passBytes } from '../training/room.js';
import type { Finding } from './doctor.js';

/** Every form whose memory is worth knowing; bfloat16 takes as much as float16. */
const forms: readonly WeightForm[] = [
  { floatType: 'float32' },
  { floatType: 'float16' },
  { floatType: 'float32', weights: 'int8' },
  { floatType: 'float16', weights: 'int8' },
];

/** The rank of the adapter for which a pass is predicted. */
const RANK = 16;

const nameOf = ({ floatType, weights }: WeightForm): string =>
  weights ? `${floatType} with weights ${weights}` : floatType;

/** Options of `doctor`: with a model it says what memory that takes. */
export type DoctorOptions = OptionsOf<typeof doctorOptions.table>;

/**
 * What memory a model takes: predicted for every form of its weights from its configuration, and measured for the one
 * that is asked for by loading it.
 * @throws {UserError} when the model is not there, or not supported
 */
export async function modelMemory(options: DoctorOptions & { modelPath: string }): Promise<Finding[]> {
  const { modelPath, dtype = 'float32', weights, maxSeqLen, backend, device } = doctorOptions.check(options);
  const folder = await resolveModel(modelPath as string);
  const config = readConfig(folder);
  const { weights: shapes } = modelShapes(config);
  const count = [...shapes.values()].reduce((sum, shape) => sum + tf.util.sizeFromShape([...shape]), 0);
  const findings: Finding[] = [
    {
      name: 'model',
      status: 'ok',
      found: `${config.modelType}, ${(count / 1e6).toFixed(1)} million weights, ${config.numHiddenLayers} layers`,
    },
    {
      name: 'weights, predicted',
      status: 'ok',
      found: forms.map((form) => `${nameOf(form)} ${formatBytes(weightBytes(config, form))}`).join('; '),
    },
    { name: 'cache, predicted', status: 'ok', found: cacheLine(config) },
    { name: 'LoRA pass, predicted', status: 'ok', found: passLine(config, maxSeqLen) },
  ];
  const form = { floatType: dtype, weights };
  try {
    const before = findings.length;
    findings.push(await measured(folder, config, form, { backend, device }));
    findings.splice(before, 0, ...roomLine(config, form, maxSeqLen));
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error;
    findings.push({
      name: 'weights, measured',
      status: 'broken',
      found: `${nameOf(form)}: ${messageOf(error)}`,
    });
  }
  return findings;
}

/** Keys and values of a token in every layer. */
function cacheLine({ numHiddenLayers, numKeyValueHeads, headDim }: DecoderConfig): string {
  const elements = 2 * numHiddenLayers * numKeyValueHeads * headDim;
  return `float32 ${formatBytes(4 * elements * 1000)}, float16 ${formatBytes(2 * elements * 1000)} for 1,000 tokens`;
}

/** Activations and gradients of one pass beside the weights, all of whose tokens are in one sample. */
function passLine(config: DecoderConfig, tokens: number): string {
  const one = (floatType: FloatType, checkpointing: boolean) =>
    formatBytes(
      trainingBytes(
        { config, floatType, lora: { rank: RANK }, cut: undefined },
        { tokens, labels: Math.ceil(tokens / 10) },
        { checkpointing },
      ),
    );
  const each = (['float32', 'float16'] as const).map(
    (type) => `${type} ${one(type, false)}, with gradient checkpointing ${one(type, true)}`,
  );
  return `rank ${RANK}, ${tokens.toLocaleString('en-US')} tokens: ${each.join('; ')}`;
}

/** What tells how much memory is taken: a number of bytes that grows, and what to call that it did. */
function meterOf(backend: string, deviceName: string): { what: string; taken: () => number } {
  if (backend === 'webgpu') {
    // WebGPU does not tell what is left
    const taken = () => (tf.memory() as unknown as { numBytesAllocatedInGPU: number }).numBytesAllocatedInGPU;
    return { what: 'the buffers on it grew', taken };
  }
  if (deviceName === 'cpu') return { what: 'the process grew', taken: () => process.memoryUsage().rss };
  return { what: "the GPU's free memory fell", taken: () => -(freeGpuMemory() ?? 0) };
}

/** Whether the weights and a pass of training fit a device that tells how much memory it has. */
function roomLine(config: DecoderConfig, form: WeightForm, tokens: number): Finding[] {
  const { totalMemory } = tf.backend() as { totalMemory?: number };
  if (totalMemory === undefined) return [];
  const model = { config, floatType: form.floatType, lora: { rank: RANK }, cut: undefined };
  const held = weightBytes(config, form);
  const [plain, again] = [false, true].map((checkpointing) => held + passBytes(model, tokens, checkpointing));
  const fits = plain! <= totalMemory;
  const found = `weights and that pass take ${formatBytes(plain!)} (with gradient checkpointing ${formatBytes(again!)}) of the ${formatBytes(totalMemory)} that the GPU has`;
  const advice = again! <= totalMemory ? 'train with `gradientCheckpointing`' : 'lower `maxTokensPerBatch`';
  return [{ name: 'room, predicted', status: fits ? 'ok' : 'broken', found, ...(fits ? {} : { advice }) }];
}

/** Loads the weights, and says what they take. */
async function measured(
  folder: string,
  config: DecoderConfig,
  form: WeightForm,
  { backend, device }: { backend?: string | undefined; device?: string | undefined },
): Promise<Finding> {
  const name = await initBackend(backend, device === undefined ? {} : { device });
  const { deviceName = 'cpu' } = tf.backend() as { deviceName?: string };
  const { what, taken } = meterOf(name, deviceName);
  const before = taken();
  const decoder = await loadDecoder(folder, form);
  try {
    const predicted = weightBytes(config, form);
    const found =
      `${nameOf(form)} on ${name} (${deviceName}): ${formatBytes(decoder.bytes)}, predicted ${formatBytes(predicted)}; ` +
      `${what} by ${formatBytes(Math.max(0, taken() - before))}`;
    return { name: 'weights, measured', status: 'ok', found };
  } finally {
    decoder.dispose();
  }
}
