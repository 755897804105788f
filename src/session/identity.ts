/** What results are computed from: the same exactly where they would be the same. */

import { fingerprintOf } from '../common/fingerprint.js';
import type { Identity } from '../common/journal.js';
import { fingerprintModel } from '../models/fingerprint.js';
import * as tf from '../tensors/tf.js';
import type { PromptSession } from './prompts.js';

/** Options that change no result, or that are known by what they lead to. */
const withoutEffect = new Set([
  ...['datasetPath', 'inputPath', 'outputPath', 'htmlPath', 'modelPath', 'adapterPath', 'checkpoint'],
  ...['verbose', 'backend', 'device'],
]);

/** The options that results depend on, sorted by name. */
export function effectiveOptions(options: object): [name: string, value: unknown][] {
  return Object.entries(options)
    .filter(([name, value]) => value !== undefined && !withoutEffect.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The inputs of a flow, and its prompts. */
export interface IdentityParts {
  readonly session: PromptSession;
  /** The tasks or what else was read, item by item. */
  readonly dataset: Iterable<unknown>;
  /** What the model is asked, which depends on the version of arclab too: a digest for each prompt. */
  readonly prompts: Iterable<unknown>;
}

/**
 * The identity of a flow's results, down to their last bits. Called when the backend is chosen.
 */
export function identityOf(
  flow: string,
  options: object,
  { session, dataset, prompts }: IdentityParts,
): Identity {
  const { folder } = session;
  const { device } = options as { device?: string };
  return {
    command: flow,
    'data set': fingerprintOf(dataset),
    model: fingerprintModel(folder),
    adapter: session.adapterIdentity(),
    content: fingerprintOf(prompts),
    backend: [tf.getBackend(), ...(device === undefined ? [] : [device])].join(' '),
    ...Object.fromEntries(
      effectiveOptions(options).map(([name, value]) => [`\`${name}\``, JSON.stringify(value)]),
    ),
  };
}
