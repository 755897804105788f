import { formatBytes } from '../common/format-bytes.js';
import { weightBytes } from '../models/weight-bytes.js';
import { computeType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import { trainingBytes } from './memory.js';

/** Numbers of float32 that are kept of each trained weight: its gradient and two moments. */
const KEPT_OF_TRAINED = 3;

/** Bytes of a pass of training that is full, in what the backend computes in; a tenth of its tokens are labels. */
export function passBytes(
  model: Parameters<typeof trainingBytes>[0],
  tokens: number,
  checkpointing: boolean,
): number {
  const computed = { ...model, floatType: computeType(model.floatType) };
  return trainingBytes(computed, { tokens, labels: Math.ceil(tokens / 10) }, { checkpointing });
}

/**
 * What is said before a model is loaded for training on a device that is predicted to be too small; nothing where it
 * suffices, or the device does not tell how much memory it has. The prediction is of passes that are full.
 */
export function roomNotes(
  model: Parameters<typeof trainingBytes>[0] & { readonly weights?: 'int8' | undefined },
  { tokens, checkpointing, trainsAll }: { tokens: number; checkpointing: boolean; trainsAll: boolean },
): string[] {
  const { totalMemory, deviceName } = tf.backend() as { totalMemory?: number; deviceName?: string };
  if (totalMemory === undefined) return [];
  const held = weightBytes(model.config, model);
  const trained = trainsAll ? KEPT_OF_TRAINED * weightBytes(model.config, { floatType: 'float32' }) : 0;
  const needed = held + trained + passBytes(model, tokens, checkpointing);
  if (needed <= totalMemory) return [];
  const advice = [
    `a lower \`maxTokensPerBatch\` (${tokens} now)`,
    ...(checkpointing ? [] : ['`gradientCheckpointing`']),
    ...(trainsAll ? ['`useLora`'] : []),
  ];
  return [
    `training is predicted to take ${formatBytes(needed)} (${formatBytes(held + trained)} of it for weights), and ${deviceName} has ` +
      `${formatBytes(totalMemory)}: use ${advice.join(', or ')}`,
  ];
}
