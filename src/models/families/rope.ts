import type { DecoderConfig, RopeScaling } from '../decoder-config.js';
import { ModelFileError } from '../errors.js';

const positiveNumber = { type: ['number', 'null'], exclusiveMinimum: 0 } as const;

/** The schema of rope settings: of transformers 5 (`rope_parameters`) and of those before it (`rope_scaling`). */
export const ropeSchema = {
  type: ['object', 'null'],
  properties: {
    rope_type: { type: ['string', 'null'] },
    type: { type: ['string', 'null'] },
    rope_theta: positiveNumber,
    factor: positiveNumber,
    low_freq_factor: positiveNumber,
    high_freq_factor: positiveNumber,
    original_max_position_embeddings: { type: ['integer', 'null'], minimum: 1 },
    beta_fast: positiveNumber,
    beta_slow: positiveNumber,
    mscale: { type: ['number', 'null'] },
    mscale_all_dim: { type: ['number', 'null'] },
    truncate: { type: ['boolean', 'null'] },
    attention_factor: positiveNumber,
    partial_rotary_factor: positiveNumber,
    llama_4_scaling_beta: { type: ['number', 'null'], minimum: 0 },
    short_factor: { type: ['array', 'null'], items: { type: 'number', exclusiveMinimum: 0 } },
    long_factor: { type: ['array', 'null'], items: { type: 'number', exclusiveMinimum: 0 } },
  },
} as const;

type RopeSetting = keyof typeof ropeSchema.properties;

/** Settings that {@link ropeSchema} has accepted. */
export type RopeSettings = { [name in RopeSetting]?: unknown } & {
  rope_type?: string | null | undefined;
  type?: string | null | undefined;
};

/** The scaling that rope settings ask for; undefined for plain rotary positions. @throws {ModelFileError} */
export function readRopeScaling(
  settings: RopeSettings,
  model: Pick<DecoderConfig, 'maxPositionEmbeddings' | 'ropeTheta'> & {
    /** The width of a head that is rotated. */
    rotaryDim: number;
    /** The length of training as config.json says it outside of these settings. */
    originalMaxPositionEmbeddings?: number | undefined;
    /** Other names of types. */
    ropeTypes?: Readonly<Record<string, string>> | undefined;
  },
  source: string,
): RopeScaling | undefined {
  const { maxPositionEmbeddings, ropeTheta, rotaryDim, ropeTypes = {} } = model;
  const given = settings.rope_type ?? settings.type ?? 'default';
  const type = ropeTypes[given] ?? given;
  const refuse = (what: string): never => {
    throw new ModelFileError(`${source}: rope type "${type}" ${what}`);
  };
  // the schema has seen to it that it is a number
  const number = (name: RopeSetting, byDefault?: number): number =>
    (settings[name] as number | null | undefined) ??
    byDefault ??
    refuse(`needs a number ${name}, found none`);
  const original = (byDefault?: number): number =>
    model.originalMaxPositionEmbeddings ?? number('original_max_position_embeddings', byDefault);
  const divisors = (name: 'short_factor' | 'long_factor'): number[] => {
    const list = (settings[name] ?? []) as number[];
    if (list.length === rotaryDim / 2) return list;
    return refuse(
      `needs ${rotaryDim / 2} numbers in ${name}, half of a head's rotary width, found ${list.length}`,
    );
  };
  switch (type) {
    case 'default':
      return undefined;
    case 'linear':
      return { type, factor: number('factor') };
    case 'llama3': {
      const [low, high] = [number('low_freq_factor'), number('high_freq_factor')];
      if (low >= high) refuse(`needs low_freq_factor below high_freq_factor, found ${low} and ${high}`);
      return {
        type,
        factor: number('factor'),
        lowFrequencyFactor: low,
        highFrequencyFactor: high,
        originalMaxPositionEmbeddings: original(),
      };
    }
    case 'yarn': {
      if (ropeTheta <= 1) refuse(`needs a rope_theta above 1, found ${ropeTheta}`);
      const factor = number('factor');
      // YaRN's temperature: 0.1 · mscale · ln(factor) + 1, or a ratio of two of them
      const temperature = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
      const ratio =
        settings.mscale && settings.mscale_all_dim
          ? temperature(number('mscale')) / temperature(number('mscale_all_dim'))
          : temperature(1);
      return {
        type,
        factor,
        originalMaxPositionEmbeddings: original(maxPositionEmbeddings),
        betaFast: number('beta_fast', 32),
        betaSlow: number('beta_slow', 1),
        truncate: settings.truncate !== false,
        attentionFactor: number('attention_factor', ratio),
      };
    }
    case 'dynamic':
      if (rotaryDim === 2) refuse('needs a rotary width of each head above 2');
      return { type, factor: number('factor') };
    case 'longrope': {
      const length = original(maxPositionEmbeddings);
      const factor = number('factor', maxPositionEmbeddings / length);
      return {
        type,
        shortFactors: divisors('short_factor'),
        longFactors: divisors('long_factor'),
        originalMaxPositionEmbeddings: length,
        attentionFactor: number(
          'attention_factor',
          factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(length)),
        ),
      };
    }
    default:
      throw new ModelFileError(
        `${source}: unknown rope type "${type}". Known types: default, linear, dynamic, llama3, yarn, longrope`,
      );
  }
}
