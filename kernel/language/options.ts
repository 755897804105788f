import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import ts from 'typescript';

/** What a cell is checked with where no tsconfig.json says otherwise: notebooks are sketches. */
const defaults: ts.CompilerOptions = {
  strict: true,
  noImplicitAny: false,
  strictPropertyInitialization: false,
  useUnknownInCatchVariables: false,
  lib: ['lib.esnext.d.ts'],
  jsx: ts.JsxEmit.ReactJSX,
};

/** What follows from how cells run, whatever a project says. */
const fixed: ts.CompilerOptions = {
  target: ts.ScriptTarget.ESNext,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
  noEmit: true,
  allowImportingTsExtensions: true,
  allowJs: true,
  resolveJsonModule: true,
  esModuleInterop: true,
  skipLibCheck: true,
  isolatedModules: false,
  verbatimModuleSyntax: false,
  noUnusedLocals: false,
  noUnusedParameters: false,
  allowUnusedLabels: true,
  allowUnreachableCode: true,
  // checks for strict libraries would produce too many warnings
  noPropertyAccessFromIndexSignature: false,
  noUncheckedIndexedAccess: false,
  exactOptionalPropertyTypes: false,
  noImplicitOverride: false,
  noImplicitReturns: false,
  noFallthroughCasesInSwitch: false,
  incremental: undefined,
  composite: undefined,
  tsBuildInfoFile: undefined,
  types: ['node'],
};

/** The options for cells in a folder: those of the nearest tsconfig.json, made fit for cells. */
export function compilerOptions(folder: string): ts.CompilerOptions {
  const path = ts.findConfigFile(folder, ts.sys.fileExists);
  const config = path === undefined ? undefined : ts.readConfigFile(path, ts.sys.readFile).config;
  if (path === undefined || config === undefined) return { ...defaults, ...fixed };
  // only the options are asked for: listing the files of a large project takes time
  const host = { ...ts.sys, readDirectory: () => [] };
  const { options } = ts.parseJsonConfigFileContent(config, host, dirname(path));
  const merged = { ...defaults, ...options, ...fixed };
  // as cells run: what is left to later tools is React's automatic runtime
  const isLeft = merged.jsx === ts.JsxEmit.Preserve || merged.jsx === ts.JsxEmit.ReactNative;
  return isLeft ? { ...merged, jsx: ts.JsxEmit.ReactJSX } : merged;
}

/** The folder of `@types/node`: the project's own, else the one that came with this package. */
export function nodeTypesFolder(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, 'node_modules/@types/node');
    if (existsSync(candidate)) return candidate;
    if (dirname(at) === at) break;
  }
  try {
    return dirname(createRequire(import.meta.url).resolve('@types/node/package.json'));
  } catch {
    return undefined;
  }
}
