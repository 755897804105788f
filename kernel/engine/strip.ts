/** From TypeScript to JavaScript: the types go, and what is left stays where it was. */
import { createRequire } from 'node:module';
import type { transformSync } from 'amaro';
import type { CompilerOptions } from 'typescript';
import { hasUsing, parseModule } from './syntax.js';

/** JavaScript made from TypeScript. */
export interface Stripped {
  code: string;
  /** A version 3 source map as JSON; absent where every character stands where it stood. */
  map?: string;
}

/**
 * Removes types from a source text. It throws a `SourceSyntaxError` for what is no TypeScript. The kernel takes
 * any function of this form, so that a host can bring a smaller stripper than amaro.
 */
export type Stripper = (source: string, fileName: string, options?: StripOptions) => Stripped;

/** The settings of `tsconfig.json` that change what the code does. */
export type StripOptions = Pick<
  CompilerOptions,
  'experimentalDecorators' | 'emitDecoratorMetadata' | 'useDefineForClassFields'
>;

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
 * Node knows yet, need TypeScript itself.
 */
export const stripTypes: Stripper = (source, fileName, options = {}) => {
  const stripped = stripWithAmaro(source, fileName);
  const isNewer = NEWER_SYNTAX.test(stripped.code) && !runsAsItIs(stripped.code);
  return (isNewer ? transpile(source, fileName, options) : undefined) ?? stripped;
};

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

/** TypeScript's own output, or undefined where TypeScript is not installed. */
function transpile(source: string, fileName: string, options: StripOptions): Stripped | undefined {
  let ts: typeof import('typescript');
  try {
    ts = require('typescript');
  } catch {
    return undefined;
  }
  const { outputText, sourceMapText } = ts.transpileModule(source, {
    fileName,
    compilerOptions: {
      ...options,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      sourceMap: true,
      // an import that looks unused may be used by the next cell
      verbatimModuleSyntax: true,
    },
  });
  return { code: outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'), map: sourceMapText };
}
