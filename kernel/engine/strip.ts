/** From TypeScript to JavaScript: the types go, and what is left stays where it was. */
import { createRequire } from 'node:module';
import type { transformSync } from 'amaro';
import { hasUsing, parseModule } from './syntax.js';
import { type StripOptions, type Stripped, transpile } from './transpile.js';

/**
 * Removes types from a source text. It throws a `SourceSyntaxError` for what is no TypeScript. The kernel takes
 * any function of this form, so that a host can bring a smaller stripper than amaro.
 */
export type Stripper = (source: string, fileName: string, context?: StripContext) => Stripped;

/** What a source text is, beside its name. */
export interface StripContext {
  /** Whether what is no TypeScript may be TSX. */
  allowsJsx: boolean;
  /** The project's settings; asked for only where they matter, because reading them may fail. */
  options(): StripOptions;
}

/** TypeScript that cannot be read, with the place. Lines count from 1, columns from 0. */
export class SourceSyntaxError extends SyntaxError {
  override readonly name = 'SyntaxError';
  readonly fileName: string;
  readonly line: number;
  readonly column: number;

  constructor(message: string, fileName: string, line: number, column: number) {
    super(message);
    this.fileName = fileName;
    this.line = line;
    this.column = column;
  }
}

/** What amaro throws. */
interface AmaroError {
  code: 'UnsupportedSyntax' | 'InvalidSyntax';
  message: string;
  startLine: number;
  startColumn: number;
}

const require = createRequire(import.meta.url);
let amaro: typeof transformSync | undefined;

/** Loads amaro, which takes about 50 ms, unless that is done. */
export function loadAmaro(): typeof transformSync {
  amaro ??= (require('amaro') as { transformSync: typeof transformSync }).transformSync;
  return amaro;
}

/**
 * The kernel's own stripper. Nearly everything is stripped by amaro in its first mode, which leaves positions as
 * they are; enums, namespaces and parameter properties need its second one; decorators and `using`, which no
 * Node knows yet, and JSX need TypeScript itself.
 */
export const stripTypes: Stripper = (source, fileName, context = PLAIN) => {
  let stripped: Stripped;
  try {
    stripped = stripWithAmaro(source, fileName);
  } catch (error) {
    if (!context.allowsJsx || !(error instanceof SourceSyntaxError) || !source.includes('<')) throw error;
    return stripTsx(source, fileName, context, error);
  }
  const isNewer = NEWER_SYNTAX.test(stripped.code) && !runsAsItIs(stripped.code);
  const transpiled = isNewer ? transpile(source, fileName, context.options(), false) : undefined;
  return transpiled ?? stripped;
};

const PLAIN: StripContext = { allowsJsx: false, options: () => ({}) };

/** TSX as JavaScript. Where it is none, either, the error that lies further on says more about what was meant. */
function stripTsx(
  source: string,
  fileName: string,
  context: StripContext,
  failure: SourceSyntaxError,
): Stripped {
  const transpiled = transpile(source, fileName, context.options(), true);
  if (transpiled === undefined) throw failure;
  const { error } = transpiled;
  if (error === undefined) return transpiled;
  const isFurther =
    error.line > failure.line || (error.line === failure.line && error.column > failure.column);
  throw isFurther ? new SourceSyntaxError(error.message, fileName, error.line, error.column) : failure;
}

/** What may be a decorator, an accessor or a `using` declaration; strings and comments match too. */
const NEWER_SYNTAX = /@|\baccessor\b|\busing\b/;

function runsAsItIs(code: string): boolean {
  try {
    // acorn knows `using`, which Node does not
    return !hasUsing(parseModule(code));
  } catch {
    return false;
  }
}

function stripWithAmaro(source: string, fileName: string): Stripped {
  const transform = loadAmaro();
  try {
    return { code: transform(source, { mode: 'strip-only', filename: fileName }).code };
  } catch (error) {
    if ((error as AmaroError).code !== 'UnsupportedSyntax') throw syntaxError(error as AmaroError, fileName);
  }
  try {
    const { code, map } = transform(source, { mode: 'transform', sourceMap: true, filename: fileName });
    return { code, map };
  } catch (error) {
    throw syntaxError(error as AmaroError, fileName);
  }
}

function syntaxError(error: AmaroError, fileName: string): Error {
  if (error.code === undefined) return error as unknown as Error;
  return new SourceSyntaxError(error.message, fileName, error.startLine, error.startColumn);
}
