import { compileSchema } from '../common/schema.js';
import { VOTING_METHODS } from '../evaluation/voting.js';
import { floatTypes } from '../tensors/precision.js';
import type { SubmitOptions } from './submit-options.js';

const flag = { type: 'boolean' } as const;
const text = { type: 'string' } as const;
const number = { type: 'number' } as const;
const integer = { type: 'integer' } as const;

/** Options that say where things are and what there is to use: a notebook finds these by itself. */
const surroundings = {
  modelPath: text,
  adapterPath: text,
  challengesPath: text,
  outputDir: text,
  timeBudget: number,
  backend: text,
} satisfies Partial<Record<keyof SubmitOptions, object>>;

/** JSON Schemas of the options that make an experiment: what the configuration of a notebook may set. */
export const experimentProperties = {
  promptVersion: text,
  gridEncoder: text,
  maxSeqLen: integer,
  pruneVocab: flag,
  device: text,
  devices: { type: 'array', items: text },
  torchDtype: { enum: floatTypes },
  processes: integer,
  predictionsPerTask: integer,
  temperature: number,
  topK: integer,
  topP: number,
  batchSize: integer,
  maxOutputTokens: integer,
  constrained: flag,
  seed: integer,
  geometricAugmentation: flag,
  colorAugmentation: flag,
  orderAugmentation: flag,
  fineTuneSteps: integer,
  fineTuneShare: number,
  fineTuneGroups: integer,
  fineTuneLearningRate: number,
  fineTuneBatchSize: integer,
  fineTuneMaxSeqLen: integer,
  loraR: integer,
  loraAlpha: number,
  method: { enum: VOTING_METHODS },
} satisfies Record<Exclude<keyof SubmitOptions, keyof typeof surroundings>, object>;

/** A misspelled option would be passed over in silence where no compiler reads the call, as in a Kaggle notebook. */
export const checkSubmitOptions = compileSchema<SubmitOptions>(
  {
    type: 'object',
    additionalProperties: false,
    properties: { ...surroundings, ...experimentProperties },
  },
  'the options of a submission',
);
