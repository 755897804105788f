/** A fresh LoRA adapter. */

import { texts } from './shapes.js';
import type { OptionTable } from './table.js';

/** What draws the first values of an adapter. */
const loraInitializations = ['default', 'gaussian', 'pissa', 'olora'] as const;

const adapterSize = {
  r: {
    type: 'integer',
    minimum: 1,
    default: 32,
    value: 'rank',
    flag: 'loraR',
    formerly: ['loraR'],
    description: 'rank of a fresh adapter',
  },
  alpha: {
    type: 'number',
    exclusiveMinimum: 0,
    default: 64,
    value: 'alpha',
    flag: 'loraAlpha',
    formerly: ['loraAlpha'],
    description: 'a fresh adapter is scaled by alpha / rank',
  },
} as const satisfies OptionTable;

/** A fresh adapter, as a flow takes it that leaves the rest of it as it is. */
export const adapterSizeOptions = {
  lora: { type: 'object', parts: adapterSize, description: 'the size of a fresh LoRA adapter' },
} as const satisfies OptionTable;

export const adapterOptions = {
  useLora: { type: 'boolean', default: true, description: 'train a LoRA adapter; otherwise all weights' },
  lora: {
    type: 'object',
    description: 'a fresh LoRA adapter',
    parts: {
      ...adapterSize,
      dropout: {
        type: 'number',
        minimum: 0,
        exclusiveMaximum: 1,
        default: 0,
        value: 'p',
        flag: 'loraDropout',
        formerly: ['loraDropout'],
        description: "dropout on the adapter's input",
      },
      targetModules: {
        ...texts,
        default: ['q_proj', 'k_proj', 'v_proj', 'o_proj'],
        value: 'names',
        flag: 'loraTargetModules',
        formerly: ['loraTargetModules'],
        description:
          'what gets a fresh adapter, by the end of its name; gate_proj, up_proj, down_proj, embed_tokens and lm_head are the others, all-linear means the projections of all blocks; all parts of a fused projection mean that one',
      },
      excludeModules: {
        ...texts,
        default: [],
        value: 'names',
        flag: 'loraExcludeModules',
        description: 'what gets none of what `lora.targetModules` names, by the end of its name',
      },
      modulesToSave: {
        ...texts,
        default: [],
        value: 'names',
        flag: 'modulesToSave',
        description:
          'what is trained as a whole and saved with the adapter, by the end of its name: norm, embed_tokens, lm_head, …',
      },
      rankPattern: {
        type: 'object',
        form: 'weights',
        items: { type: 'integer', minimum: 1 },
        value: 'name=rank',
        flag: 'loraRankPattern',
        description: "other ranks, by the end of a name or a pattern for it, as PEFT's `rank_pattern`",
      },
      alphaPattern: {
        type: 'object',
        form: 'weights',
        items: { type: 'number', exclusiveMinimum: 0 },
        value: 'name=alpha',
        flag: 'loraAlphaPattern',
        description: "other alphas, by the end of a name or a pattern for it, as PEFT's `alpha_pattern`",
      },
      initWeights: {
        type: 'string',
        enum: loraInitializations,
        default: 'default',
        value: 'name',
        flag: 'loraWeightInitialization',
        formerly: ['loraWeightInitialization'],
        description: 'how a fresh adapter starts',
      },
      useRslora: {
        type: 'boolean',
        default: false,
        formerly: ['useRslora'],
        description: 'scale the adapter by alpha / √rank',
      },
      useDora: {
        type: 'boolean',
        default: false,
        formerly: ['useDora'],
        description: 'train magnitude and direction apart (DoRA)',
      },
    },
  },
} as const satisfies OptionTable;
