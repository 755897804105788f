import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { type Expression, parseExpressionAt } from 'acorn';
import type { StripOptions } from './transpile.js';

/** What the kernel reads of a `tsconfig.json`. */
export interface ProjectConfig {
  /** Patterns such as `@/*` and the absolute patterns that take their place, in the order to be tried. */
  paths: { pattern: string; targets: string[] }[];
  /** Where names that are not relative are looked for first. */
  baseUrl: string | undefined;
  strip: StripOptions;
}

interface RawConfig {
  extends?: string | string[];
  compilerOptions?: StripOptions & { baseUrl?: string; paths?: Record<string, string[]> };
}

const STRIP_OPTIONS: readonly (keyof StripOptions)[] = [
  'experimentalDecorators',
  'emitDecoratorMetadata',
  'useDefineForClassFields',
  'jsx',
  'jsxFactory',
  'jsxFragmentFactory',
  'jsxImportSource',
];

const NOTHING: ProjectConfig = { paths: [], baseUrl: undefined, strip: {} };

/** Finds the `tsconfig.json` that governs a folder. What it has read is kept until `forget`. */
export class ProjectConfigs {
  readonly #byFolder = new Map<string, ProjectConfig>();

  /** Files may have changed. */
  forget(): void {
    this.#byFolder.clear();
  }

  /** The configuration of the nearest folder that has one; without one, nothing is set. */
  of(folder: string): ProjectConfig {
    let config = this.#byFolder.get(folder);
    if (config === undefined) {
      const file = join(folder, 'tsconfig.json');
      const parent = dirname(folder);
      config = existsSync(file) ? readConfig(file, 0) : parent === folder ? NOTHING : this.of(parent);
      this.#byFolder.set(folder, config);
    }
    return config;
  }
}

function readConfig(file: string, depth: number): ProjectConfig {
  const folder = dirname(file);
  const raw = parseJsonc(readFileSync(file, 'utf8'), file) as RawConfig;
  // a configuration that extends itself ends here
  const bases = depth > 10 ? [] : [raw.extends ?? []].flat();
  let config = NOTHING;
  for (const base of bases) {
    const baseFile = findBase(base, file);
    if (baseFile !== undefined) config = merge(config, readConfig(baseFile, depth + 1));
  }
  const { baseUrl, paths, ...rest } = raw.compilerOptions ?? {};
  const root = baseUrl === undefined ? folder : resolve(folder, baseUrl);
  return merge(config, {
    baseUrl: baseUrl === undefined ? undefined : root,
    paths: Object.entries(paths ?? {}).map(([pattern, targets]) => ({
      pattern,
      targets: targets.map((target) => resolve(root, target)),
    })),
    strip: Object.fromEntries(STRIP_OPTIONS.flatMap((name) => (name in rest ? [[name, rest[name]]] : []))),
  });
}

function merge(base: ProjectConfig, own: ProjectConfig): ProjectConfig {
  return {
    baseUrl: own.baseUrl ?? base.baseUrl,
    paths: own.paths.length > 0 ? own.paths : base.paths,
    strip: { ...base.strip, ...own.strip },
  };
}

function findBase(base: string, from: string): string | undefined {
  if (base.startsWith('.') || base.startsWith('/')) {
    const file = resolve(dirname(from), base);
    return [file, `${file}.json`, join(file, 'tsconfig.json')].find(
      (name) => /\.json$/.test(name) && existsSync(name),
    );
  }
  const require = createRequire(from);
  for (const name of [base, `${base}.json`, `${base}/tsconfig.json`]) {
    try {
      const found = require.resolve(name);
      if (found.endsWith('.json')) return found;
    } catch {
      // the next spelling
    }
  }
  return undefined;
}

/** JSON with comments and trailing commas, read as the JavaScript expression that it is, and not evaluated. */
function parseJsonc(text: string, file: string): unknown {
  try {
    return jsonValue(parseExpressionAt(text.replace(/^\uFEFF/, ''), 0, { ecmaVersion: 'latest' }));
  } catch (error) {
    throw new SyntaxError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

function jsonValue(node: Expression): unknown {
  if (node.type === 'Literal') return node.value;
  if (node.type === 'ArrayExpression')
    return node.elements.map((element) => jsonValue(element as Expression));
  if (node.type === 'UnaryExpression' && node.operator === '-') return -(jsonValue(node.argument) as number);
  if (node.type !== 'ObjectExpression') throw new SyntaxError(`${node.type} is not JSON`);
  return Object.fromEntries(
    node.properties.map((property) => {
      if (property.type !== 'Property') throw new SyntaxError('… is not JSON');
      const { key, value } = property;
      return [key.type === 'Literal' ? String(key.value) : (key as { name: string }).name, jsonValue(value)];
    }),
  );
}
