import { Rng } from '../../src/common/rng.js';
import type { GenerationTokenizer } from '../../src/generation/vocabulary.js';
import type { DecoderConfig } from '../../src/models/config.js';
import { Decoder } from '../../src/models/decoder.js';
import * as tf from '../../src/tensors/tf.js';

/**
 * A tokenizer that always takes the longest token. Characters beyond ASCII are written as two tokens that have
 * no text of their own, as byte-level tokenizers do. The last id is the end of turn.
 */
export function makeTokenizer(texts: readonly string[]): GenerationTokenizer {
  const byLength = texts.map((text, id) => ({ text, id })).sort((a, b) => b.text.length - a.text.length);
  const accents = Array.from('ñò÷ûąćďęĚĞ');
  const lead = texts.length;
  const endOfTurnId = lead + 1 + accents.length;
  return {
    vocabSize: endOfTurnId + 1,
    stopIds: [endOfTurnId],
    tokenText: (id) => texts[id] ?? (id === endOfTurnId ? '<|im_end|>' : '\uFFFD'),
    decode: (ids) => ids.map((id) => texts[id] ?? accents[id - lead - 1] ?? '').join(''),
    encode(text) {
      const ids: number[] = [];
      for (let at = 0; at < text.length; ) {
        const piece = byLength.find((candidate) => text.startsWith(candidate.text, at));
        const accent = accents.indexOf(text[at]!);
        if (!piece && accent < 0) return [...ids, lead];
        ids.push(...(piece ? [piece.id] : [lead, lead + 1 + accent]));
        at += piece ? piece.text.length : 1;
      }
      return ids;
    },
  };
}

const characters = [...Array.from('0123456789 \n`:|x'), 'grid', 'shape'];

/** Cuts a grid's text where a grammar has its choices. */
export const plainTokenizer = makeTokenizer([...characters, '```', ': ']);

/** Has tokens that run across the places where a grammar has its choices. */
export const tinyTokenizer = makeTokenizer([
  ...characters,
  ...['``', '```', '12', '00', '000', '\n1', ' 0', ': ', '\n\n', '`\n', 'zz', '|0|', '9x'],
]);

/** A window in one layer of two, smaller than most prompts; capped scores and logits. */
export const limited: Partial<DecoderConfig> = {
  windows: [3, null],
  attentionSoftCap: 2,
  logitSoftCap: 6,
};

/** A decoder with random weights; its vocabulary is that of {@link tinyTokenizer} where no other size is given. */
export function tinyDecoder(
  seed: number,
  change: (name: string, values: Float32Array) => void = () => {},
  vocabSize = tinyTokenizer.vocabSize,
  features: Partial<DecoderConfig> = {},
): Decoder {
  const config: DecoderConfig = {
    modelType: 'qwen2',
    vocabSize,
    hiddenSize: 16,
    intermediateSize: 24,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    headDim: 4,
    rmsNormEpsilon: 1e-6,
    ropeTheta: 10_000,
    maxPositionEmbeddings: 4096,
    tieWordEmbeddings: false,
    attentionInputBias: true,
    attentionOutputBias: false,
    mlpBias: false,
    ...features,
  };
  return new Decoder(config, (name, shape) => {
    const rng = Rng.of(seed, name);
    const size = shape.reduce((a, b) => a * b, 1);
    const scale = name.includes('norm') ? 0.1 : 0.5;
    const mean = name.includes('norm') ? 1 : 0;
    const values = Float32Array.from({ length: size }, () => rng.normal(mean, scale));
    change(name, values);
    return tf.tensor(values, shape);
  });
}
