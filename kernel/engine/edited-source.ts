/** A place in a text: the line counts from 1, the column from 0, as source maps do it. */
export interface Position {
  line: number;
  column: number;
  /** Nothing of the source became the code at this place: the kernel added it, and the position is the nearest one before. */
  isAdded?: true;
}

/** A stretch of the result that was taken from the source, unchanged, or that stands for what began at `from`. */
interface SourcePiece {
  at: number;
  from: number;
  length: number;
  isReplaced?: true;
}

/** The offsets at which the lines of a text begin. */
export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Where an offset lies. */
export function positionOf(starts: readonly number[], offset: number): Position {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - starts[low]! };
}

/**
 * A text put together from stretches of a source and of new text, which knows for every place where in the
 * source it came from.
 */
export class EditedSource {
  readonly #source: string;
  readonly #pieces: SourcePiece[] = [];
  #text = '';
  #resultStarts: number[] | undefined;
  #sourceStarts: number[] | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  get text(): string {
    return this.#text;
  }

  /** Adds new text. */
  add(text: string): this {
    this.#text += text;
    return this;
  }

  /** Adds what stands in the source between two offsets. */
  take(start: number, end: number): this {
    if (end <= start) return this;
    this.#pieces.push({ at: this.#text.length, from: start, length: end - start });
    this.#text += this.#source.slice(start, end);
    return this;
  }

  /** Adds new text in the place of what begins at an offset of the source. */
  replace(start: number, text: string): this {
    if (text === '') return this;
    this.#pieces.push({ at: this.#text.length, from: start, length: text.length, isReplaced: true });
    this.#text += text;
    return this;
  }

  /** Lets the new text that follows belong to a place of the source. */
  mark(offset: number): this {
    this.#pieces.push({ at: this.#text.length, from: offset, length: 0 });
    return this;
  }

  /**
   * Adds a stretch of the source in which stretches are replaced. The edits do not overlap; an insertion belongs to
   * what stands before it.
   */
  takeEdited(start: number, end: number, edits: readonly Edit[]): this {
    let at = start;
    for (const edit of edits) {
      if (edit.start < at || edit.end > end || edit.end === start) continue;
      this.take(at, edit.start);
      if (edit.end > edit.start) this.replace(edit.start, edit.text);
      else this.add(edit.text);
      at = edit.end;
    }
    return this.take(at, end);
  }

  /** Where in the source a place of the result came from; the nearest place before it for new text. */
  original(place: Position): Position {
    this.#resultStarts ??= lineStarts(this.#text);
    this.#sourceStarts ??= lineStarts(this.#source);
    const line = Math.min(place.line, this.#resultStarts.length);
    const offset = this.#resultStarts[line - 1]! + place.column;
    let best: SourcePiece | undefined;
    for (const piece of this.#pieces) if (piece.at <= offset) best = piece;
    if (best === undefined) return { line: 1, column: 0, isAdded: true };
    const inside = Math.min(offset - best.at, best.length);
    const position = positionOf(this.#sourceStarts, best.from + (best.isReplaced ? 0 : inside));
    return inside < best.length ? position : { ...position, isAdded: true };
  }
}

/** A stretch of a source and the text that takes its place. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}
