/** Every answer up to a length, with its probability from full forward passes without a cache: nothing is left out. */
import type { TokenGrammar } from '../../../src/generation/constraint.js';
import type { Decoder } from '../../../src/models/decoder.js';
import { packSequences } from '../../../src/models/packed-tokens.js';
import * as tf from '../../../src/tensors/tf.js';

export interface Answer {
  readonly tokens: number[];
  readonly logProb: number;
}

interface Beginning extends Answer {
  readonly state: object;
}

/** Log-probabilities of the next token after each sequence: [sequences][vocabulary]. */
function nextLogProbs(decoder: Decoder, sequences: readonly (readonly number[])[]): Float32Array[] {
  return tf.tidy(() => {
    const hidden = decoder.forward(packSequences(sequences.map((tokens) => [...tokens])));
    let end = -1;
    const last = sequences.map(({ length }) => (end += length));
    const logits = decoder.logits(tf.gather(hidden, tf.tensor1d(last, 'int32')) as tf.Tensor2D);
    const values = tf.logSoftmax(logits).dataSync() as Float32Array;
    const width = values.length / sequences.length;
    return sequences.map((_, i) => values.slice(i * width, (i + 1) * width));
  });
}

/** All answers of fewer than `limit` tokens; what the grammar forces counts 0. */
export function enumerate(
  decoder: Decoder,
  stopIds: readonly number[],
  prompt: readonly number[],
  limit: number,
  grammar?: TokenGrammar,
): Answer[] {
  const answers: Answer[] = [];
  const forced = ({ tokens, logProb, state }: Beginning): Beginning[] => {
    let at = { tokens: [...tokens], state };
    while (grammar && at.tokens.length < limit) {
      const next = grammar.forced(at.state);
      if (next.tokens.length === 0) break;
      at = { tokens: [...at.tokens, ...next.tokens], state: next.state };
    }
    if (at.tokens.length <= limit && grammar?.mustEnd(at.state)) {
      answers.push({ tokens: at.tokens, logProb });
      return [];
    }
    return at.tokens.length < limit ? [{ ...at, logProb }] : [];
  };
  let level = forced({ tokens: [], logProb: 0, state: grammar?.initial ?? {} });
  while (level.length > 0) {
    const tables = nextLogProbs(
      decoder,
      level.map(({ tokens }) => [...prompt, ...tokens]),
    );
    level = level.flatMap(({ tokens, logProb, state }, i) => {
      const table = tables[i]!;
      const allowed = grammar ? grammar.continuations(state).states : null;
      const ends = stopIds.filter((id) => !allowed || allowed.has(id)).map((id) => table[id]!);
      if (ends.length > 0) answers.push({ tokens, logProb: logProb + Math.max(...ends) });
      const others = [...table.keys()].filter((id) => !stopIds.includes(id) && (!allowed || allowed.has(id)));
      return others.flatMap((id) =>
        forced({ tokens: [...tokens, id], logProb: logProb + table[id]!, state: allowed?.get(id) ?? state }),
      );
    });
  }
  return answers.sort((a, b) => b.logProb - a.logProb);
}
