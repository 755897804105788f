/** TypeScript's own compiler, for what must be rewritten and not only stripped. It is loaded when it is needed. */
import { createRequire } from 'node:module';
import type { CompilerOptions, DiagnosticWithLocation, JsxEmit } from 'typescript';

/** JavaScript made from TypeScript. */
export interface Stripped {
  code: string;
  /** A version 3 source map as JSON; absent where every character stands where it stood. */
  map?: string;
}

/** The settings of `tsconfig.json` that change what the code does, as they are written there. */
export interface StripOptions {
  experimentalDecorators?: boolean;
  emitDecoratorMetadata?: boolean;
  useDefineForClassFields?: boolean;
  jsx?: string;
  jsxFactory?: string;
  jsxFragmentFactory?: string;
  jsxImportSource?: string;
}

/** What TypeScript made of a source text. */
interface Transpiled extends Stripped {
  /** The first thing that its parser did not understand. The line counts from 1, the column from 0. */
  error?: { message: string; line: number; column: number };
}

const require = createRequire(import.meta.url);

/** The source text as JavaScript, or undefined where TypeScript is not installed. @param isTsx whether it has JSX */
export function transpile(
  source: string,
  fileName: string,
  options: StripOptions,
  isTsx: boolean,
): Transpiled | undefined {
  let ts: typeof import('typescript');
  try {
    ts = require('typescript');
  } catch {
    return undefined;
  }
  const { jsx, ...rest } = options;
  const compilerOptions: CompilerOptions = {
    ...rest,
    ...(isTsx && jsxOptions(ts.JsxEmit, options)),
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    sourceMap: true,
    // an import that looks unused may be used by the next cell
    verbatimModuleSyntax: true,
  };
  const { outputText, sourceMapText, diagnostics } = ts.transpileModule(source, {
    fileName: isTsx ? fileName.replace(/\.[mc]?[jt]sx?$/, '.tsx') : fileName,
    compilerOptions,
    reportDiagnostics: isTsx,
  });
  const found = diagnostics?.find(({ start, file }) => start !== undefined && file !== undefined);
  const error = found && locate(found as DiagnosticWithLocation, ts.flattenDiagnosticMessageText);
  return { code: outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, '\n'), map: sourceMapText, error };
}

/** JSX becomes calls, whatever a project leaves to later tools: of React's automatic runtime unless it says otherwise. */
function jsxOptions(emit: typeof JsxEmit, { jsx = '' }: StripOptions): CompilerOptions {
  const modes: Record<string, JsxEmit> = { react: emit.React, 'react-jsxdev': emit.ReactJSXDev };
  const mode = modes[jsx.toLowerCase()] ?? emit.ReactJSX;
  // TypeScript refuses the names of functions beside the automatic runtime
  return mode === emit.React
    ? { jsx: mode }
    : { jsx: mode, jsxFactory: undefined, jsxFragmentFactory: undefined };
}

function locate(
  { messageText, file, start }: DiagnosticWithLocation,
  flatten: (text: DiagnosticWithLocation['messageText'], newLine: string) => string,
) {
  const { line, character } = file.getLineAndCharacterOfPosition(start);
  return { message: flatten(messageText, ' '), line: line + 1, column: character };
}
