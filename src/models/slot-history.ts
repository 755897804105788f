/** Tokens for a cached pass: the token ids, the slot of each and its position there. */
export interface CachedFeed {
  tokens: Int32Array;
  slots: Int32Array;
  positions: Int32Array;
}

/** A part of a cached pass in which every slot has one length. */
export interface CachedPart extends CachedFeed {
  /** The length that the sequence of each token counts as. */
  lengths: Int32Array;
  /** Which row of the whole each token is; −1 for tokens that are fed again. */
  rows: Int32Array;
}

/** The most tokens that are fed again in one part. */
const AGAIN = 1024;

interface Fed {
  token: number;
  slot: number;
  position: number;
  length: number;
  row: number;
}

/**
 * What lies in the slots of a key-value cache, for models whose rotary frequencies depend on the length of a sequence.
 * There the keys of all tokens change when a sequence grows into other frequencies, and with them the values of all
 * layers but the first, so that the sequence is fed again from its start.
 */
export class SlotHistory {
  readonly #maxLength: number;
  readonly #sharedLength: (length: number) => number;
  readonly #tokens: Int32Array;
  /** The length that the content of each slot was computed for. */
  readonly #lengths: Int32Array;

  /** @param sharedLength one length for all those with the same frequencies */
  constructor(slots: number, maxLength: number, sharedLength: (length: number) => number) {
    this.#maxLength = maxLength;
    this.#sharedLength = sharedLength;
    this.#tokens = new Int32Array(slots * maxLength);
    this.#lengths = new Int32Array(slots);
  }

  /** Notes that a slot begins as another one. @returns the position from which on it has to be copied */
  copy(from: number, to: number, length: number, start: number): number {
    const first = this.#lengths[from] === this.#lengths[to] ? start : 0;
    const at = from * this.#maxLength;
    this.#tokens.copyWithin(to * this.#maxLength + first, at + first, at + length);
    this.#lengths[to] = this.#lengths[from]!;
    return first;
  }

  /**
   * Cuts a cached pass into parts, to be run one after the other, and notes what they feed. Each token whose hidden
   * state is asked for is computed as the last one of its sequence; tokens before it are computed with it.
   * @param asked rows whose hidden states are asked for; all when absent
   */
  plan({ tokens, slots, positions }: CachedFeed, asked?: readonly number[]): CachedPart[] {
    const isAsked = asked && new Set(asked);
    const bySlot = new Map<number, Fed[]>();
    for (let row = tokens.length - 1; row >= 0; row--) {
      const [token, slot, position] = [tokens[row]!, slots[row]!, positions[row]!];
      const later = bySlot.get(slot) ?? [];
      const next = later[0];
      const length = next && isAsked && !isAsked.has(row) ? next.length : this.#sharedLength(position + 1);
      later.unshift({ token, slot, position, length, row });
      bySlot.set(slot, later);
    }
    const parts: CachedPart[] = [];
    let waiting = [...bySlot.values()];
    while (waiting.length > 0) {
      const now: Fed[] = [];
      waiting = waiting.flatMap((fed) => {
        const end = fed.findIndex(({ length }) => length !== fed[0]!.length);
        const run = end < 0 ? fed : fed.slice(0, end);
        parts.push(...this.#again(run[0]!));
        now.push(...run);
        return end < 0 ? [] : [fed.slice(end)];
      });
      for (const { token, slot, position } of now) this.#tokens[slot * this.#maxLength + position] = token;
      parts.push(partOf(now.sort((a, b) => a.row - b.row)));
    }
    return parts;
  }

  /** What lies before a token, where it was computed for another length. */
  #again({ slot, position, length }: Fed): CachedPart[] {
    if (this.#lengths[slot] === length) return [];
    this.#lengths[slot] = length;
    const parts: CachedPart[] = [];
    for (let start = 0; start < position; start += AGAIN) {
      const size = Math.min(AGAIN, position - start);
      const at = slot * this.#maxLength + start;
      const fed = Array.from(this.#tokens.subarray(at, at + size), (token, i) => ({
        token,
        slot,
        position: start + i,
        length,
        row: -1,
      }));
      parts.push(partOf(fed));
    }
    return parts;
  }
}

function partOf(fed: readonly Fed[]): CachedPart {
  const of = (name: keyof Fed) => Int32Array.from(fed, (one) => one[name]);
  return {
    tokens: of('token'),
    slots: of('slot'),
    positions: of('position'),
    lengths: of('length'),
    rows: of('row'),
  };
}
