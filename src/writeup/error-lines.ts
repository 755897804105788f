/** What a command wrote on its standard error: progress and notes, and lines that report an error. */
export interface SplitErrors {
  readonly progress: string;
  readonly errors: string;
}

/** How a line begins that reports an error; after a traceback's beginning everything belongs to it. */
const ERROR = /^(?:error:|fatal:|panic:|bash: |\S*(?:Error|Exception)\b|Uncaught )/i;
const TRACEBACK = /^Traceback \(most recent call last\)/;
/** Characters after which the beginning of a line says what it is. */
const ENOUGH = 34;

/**
 * Tells lines that report an error from everything else that programs write on their standard error, most of which is
 * progress. Takes the stream in pieces of any size and holds back no more than the beginning of a line.
 */
export class ErrorLines {
  #start = '';
  /** Of the line that has begun; `undefined` at the beginning of one. */
  #isError: boolean | undefined;
  #inTraceback = false;

  /** @returns what can be shown of the text so far */
  take(text: string): SplitErrors {
    let progress = '';
    let errors = '';
    for (const piece of (this.#start + text).split(/(?<=[\n\r])/)) {
      const ends = /[\n\r]$/.test(piece);
      this.#start = '';
      if (this.#isError === undefined) {
        if (!ends && piece.length < ENOUGH) {
          this.#start = piece;
          break;
        }
        this.#inTraceback ||= TRACEBACK.test(piece);
        this.#isError = this.#inTraceback || ERROR.test(piece);
      }
      if (this.#isError) errors += piece;
      else progress += piece;
      if (ends) this.#isError = undefined;
    }
    return { progress, errors };
  }

  /** @returns what was held back, at the end of the stream */
  end(): SplitErrors {
    const isError = this.#inTraceback || ERROR.test(this.#start);
    const rest = this.#start;
    this.#start = '';
    return isError ? { progress: '', errors: rest } : { progress: rest, errors: '' };
  }
}
