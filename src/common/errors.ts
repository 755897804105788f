/**
 * A mistake that the caller can correct: its message is one line that says what was given, what was
 * expected and what to do. The command line prints it without a stack and exits with code 2.
 */
export class UserError extends Error {
  /** The name that is shown: minified bundles rename the class. */
  static override readonly name: string = 'UserError';
  override name = 'UserError';

  constructor(message: string) {
    // what is quoted, such as the error of a parser, may bring line breaks along
    super(shortened(message.trim().replace(/\s*[\r\n]+\s*/g, ' ')));
  }
}

/** Says that a computation was stopped on request, and how to continue it. */
export class StoppedError extends UserError {
  static override readonly name: string = 'StoppedError';
  override name = 'StoppedError';
}

/** The longest word (a path may be long) and the longest message. What is quoted may be of any length. */
const LONGEST_WORD = 300;
const LONGEST_MESSAGE = 1000;

/** A message that can be read: it begins with the place, and ends with what to do. */
function shortened(message: string): string {
  const words = message.replace(/\S+/g, (word) => withoutMiddle(word, LONGEST_WORD));
  return withoutMiddle(words, LONGEST_MESSAGE);
}

/** A text that is too long as its first third and its last; what is left out is counted. */
function withoutMiddle(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const part = Math.floor(longest / 3);
  return `${text.slice(0, part)}…(${text.length - 2 * part} characters)…${text.slice(-part)}`;
}

/** The first line of what {@link messageOf} gives. */
export const firstLineOf = (error: unknown): string => messageOf(error).split('\n')[0]!;

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
