/**
 * A mistake that the person at the keyboard can mend: its message is one line that says what was given, what was
 * expected and what to do. The command line prints it without a stack and exits with code 2.
 */
export class UserError extends Error {
  /** As it is shown: a bundle that is minified calls the class otherwise. */
  static override readonly name: string = 'UserError';
  override name = 'UserError';

  constructor(message: string) {
    // what is quoted, such as the error of a parser, may bring line breaks along
    super(message.trim().replace(/\s*[\r\n]+\s*/g, ' '));
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
