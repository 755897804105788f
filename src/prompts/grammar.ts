/**
 * A deterministic automaton over characters (code points). States are immutable, and reaching the same place
 * twice gives the same object, so what is computed for a state (a mask over the vocabulary, say) can be kept in
 * a WeakMap.
 */
export interface TextGrammar {
  /** Before the first character. */
  readonly initial: object;
  /** The state after one more character, or null when no accepted text goes on like this. */
  step(state: object, char: string): object | null;
  /** True when the text may end here. */
  accepts(state: object): boolean;
  /** The characters that may come next; none only where the text has to end. */
  next(state: object): string[];
}

/** Strings of which one comes next, each with the label of what follows it; none begins another. */
export class Choices {
  readonly children = new Map<string, Choices>();
  /** Set where a string ends. */
  label: string | undefined;

  constructor(entries: Iterable<readonly [text: string, label: string]>) {
    for (const [text, label] of entries) {
      let node: Choices = this;
      for (const char of text) {
        let child = node.children.get(char);
        if (!child) {
          child = new Choices([]);
          node.children.set(char, child);
        }
        node = child;
      }
      node.label = label;
    }
  }
}

/** A place in a text, from which it goes on with one of several strings. */
export interface Place {
  /** Places that differ only in what follows should share one object. */
  readonly choices: Choices;
  /** The place behind the string with this label. The same label must always give the same object. */
  after(label: string): Place;
  /** True when the text may also end here. */
  readonly final: boolean;
}

/** A place and how far the strings of its choices agree with what was written since. */
class GrammarState {
  /** Successors that were asked for: most of an automaton is never visited. */
  readonly #successors = new Map<string, GrammarState>();

  constructor(
    readonly place: Place,
    readonly choices: Choices,
    readonly stateOf: (place: Place) => GrammarState,
  ) {}

  get final(): boolean {
    return this.place.final && this.choices === this.place.choices;
  }

  step(char: string): GrammarState | null {
    const known = this.#successors.get(char);
    if (known) return known;
    const choices = this.choices.children.get(char);
    if (!choices) return null;
    const state =
      choices.label === undefined
        ? new GrammarState(this.place, choices, this.stateOf)
        : this.stateOf(this.place.after(choices.label));
    this.#successors.set(char, state);
    return state;
  }
}

/** The grammar of all texts that a walk from `start` can write. */
export function grammarOf(start: Place): TextGrammar {
  const states = new WeakMap<Place, GrammarState>();
  const stateOf = (place: Place): GrammarState => {
    let state = states.get(place);
    if (!state) {
      state = new GrammarState(place, place.choices, stateOf);
      states.set(place, state);
    }
    return state;
  };
  return {
    initial: stateOf(start),
    step: (state, char) => (state as GrammarState).step(char),
    accepts: (state) => (state as GrammarState).final,
    next: (state) => [...(state as GrammarState).choices.children.keys()],
  };
}
