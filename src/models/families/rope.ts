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
  { maxPositionEmbeddings, ropeTheta }: Pick<DecoderConfig, 'maxPositionEmbeddings' | 'ropeTheta'>,
  source: string,
): RopeScaling | undefined {
  const type = settings.rope_type ?? settings.type ?? 'default';
  const refuse = (what: string): never => {
    throw new ModelFileError(`${source}: rope type "${type}" ${what}`);
  };
  // the schema has seen to it that it is a number
  const number = (name: RopeSetting, byDefault?: number): number =>
    (settings[name] as number | null | undefined) ??
    byDefault ??
    refuse(`needs a number ${name}, found none`);
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
        originalMaxPositionEmbeddings: number('original_max_position_embeddings'),
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
        originalMaxPositionEmbeddings: number('original_max_position_embeddings', maxPositionEmbeddings),
        betaFast: number('beta_fast', 32),
        betaSlow: number('beta_slow', 1),
        truncate: settings.truncate !== false,
        attentionFactor: number('attention_factor', ratio),
      };
    }
    default:
      throw new ModelFileError(
        `${source}: unknown rope type "${type}". Known types: default, linear, llama3, yarn`,
      );
  }
}
