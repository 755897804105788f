import { dropoutName } from '../tensors/ops/index.js';

/** Several samples, one after the other in one row. */
export interface PackedTokens {
  /** Token ids [n]. */
  tokens: Int32Array;
  /** The position of each token in its own sample [n]. */
  positions: Int32Array;
  /** Where each sample starts, then the total n. */
  segments: Int32Array;
  /** What names the dropout mask of each token [n]: the same in every batch that its sample is in. */
  names: Int32Array;
}

/**
 * Puts sequences of token ids one after the other.
 * @param samples a number of each sequence, which with a position names a token for dropout; default: its place here
 */
export function packSequences(
  sequences: readonly (readonly number[])[],
  samples: readonly number[] = [...sequences.keys()],
): PackedTokens {
  const segments = new Int32Array(sequences.length + 1);
  sequences.forEach((sequence, i) => {
    segments[i + 1] = segments[i]! + sequence.length;
  });
  const tokens = new Int32Array(segments[sequences.length]!);
  const positions = new Int32Array(tokens.length);
  const names = new Int32Array(tokens.length);
  sequences.forEach((sequence, s) => {
    tokens.set(sequence, segments[s]!);
    for (let i = 0; i < sequence.length; i++) {
      positions[segments[s]! + i] = i;
      names[segments[s]! + i] = dropoutName(samples[s]!, i);
    }
  });
  return { tokens, positions, segments, names };
}
