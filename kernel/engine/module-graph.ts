import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isOwnPackage } from '../common/own-package.js';
import { EditedSource } from './edited-source.js';
import { liveExportsOf } from './live-exports.js';
import { type LocalModule, readLocalModule, stampOf } from './local-module.js';
import { BUILTIN_SCHEME } from './module-loader.js';
import { KERNEL_GLOBAL } from './names.js';
import { plainSpecifier, withoutNpm } from './npm-specifier.js';
import { isInstalled, packageNameOf } from './packages.js';
import { isInPackage, missingPackage, type Resolver } from './resolver.js';
import { shownName, sourceComments, trackSource } from './stack.js';
import type { Stripper } from './strip.js';
import { importEdits } from './syntax.js';

/** A module that Node has not seen yet. */
export interface FreshModule {
  url: string;
  code: string;
}

/** A module of the walk: its text, and where its imports lead. */
interface Visited {
  module: LocalModule;
  /** For each import the file of the project that it means, if it means one. */
  targets: (string | undefined)[];
}

/** The files of the project that import each other, with the versions under which Node knows them. */
export class ModuleGraph {
  readonly #resolver: Resolver;
  readonly #strip: Stripper;
  readonly #builtins: Record<string, object>;
  readonly #modules = new Map<string, LocalModule>();
  /** The addresses that were given, by file and by the hash of everything that the file rests on. */
  readonly #urls = new Map<string, Map<string, string>>();
  /** Counts how often a file is to be evaluated anew although nothing has changed. */
  readonly #renewals = new Map<string, number>();
  readonly #require = createRequire(import.meta.url);

  constructor(resolver: Resolver, strip: Stripper, builtins: Record<string, object>) {
    this.#resolver = resolver;
    this.#strip = strip;
    this.#builtins = builtins;
  }

  /** The address of a file as it is now, and the modules below it that Node does not know yet. */
  prepare(file: string): { url: string; fresh: FreshModule[] } {
    const visited = new Map<string, Visited>();
    this.#visit(file, visited);
    const hashes = hashesOf(visited, (name) => this.#renewals.get(name) ?? 0);
    const urls = new Map<string, string>();
    const isFresh = new Set<string>();
    for (const [name, hash] of hashes) {
      const known = this.#urls.get(name) ?? new Map<string, string>();
      this.#urls.set(name, known);
      let url = known.get(hash);
      if (url === undefined) {
        url = `${pathToFileURL(name).href}${known.size === 0 && this.#isCommonJs(visited, name) ? '' : `?v=${known.size + 1}`}`;
        known.set(hash, url);
        isFresh.add(name);
      }
      urls.set(name, url);
    }
    const fresh: FreshModule[] = [];
    for (const name of isFresh) {
      const { module, targets } = visited.get(name)!;
      if (module.kind === 'commonjs') delete this.#require.cache[name];
      else fresh.push({ url: urls.get(name)!, code: this.#link(module, targets, urls) });
    }
    return { url: urls.get(file)!, fresh };
  }

  /**
   * The exports of a file whose values change while it lives, its own and those that it hands on from files of the
   * project. The file was prepared before.
   */
  liveExports(file: string, known = new Map<string, Set<string>>()): Set<string> {
    const found = known.get(file);
    if (found !== undefined) return found;
    const module = this.#modules.get(file);
    const live = new Set<string>();
    // files may import each other in a circle
    known.set(file, live);
    if (module === undefined) return live;
    module.liveExports ??= liveExportsOf(module.program);
    const { own, forwarded } = module.liveExports;
    for (const name of own) live.add(name);
    for (const { specifier, imported, exported } of forwarded) {
      const target = this.#resolver.resolve(withoutNpm(specifier), file);
      for (const name of target === undefined ? [] : this.liveExports(target, known)) {
        if (imported === '*' && name !== 'default') live.add(name);
        else if (imported === name) live.add(exported);
      }
    }
    return live;
  }

  /** Lets a file and everything that it rests on be evaluated anew, after a failure. */
  renew(file: string): void {
    const visited = new Map<string, Visited>();
    try {
      this.#visit(file, visited);
    } catch {
      return;
    }
    for (const name of visited.keys()) this.#renewals.set(name, (this.#renewals.get(name) ?? 0) + 1);
  }

  #isCommonJs(visited: Map<string, Visited>, name: string): boolean {
    return visited.get(name)!.module.kind === 'commonjs';
  }

  #visit(file: string, visited: Map<string, Visited>): void {
    if (visited.has(file)) return;
    const module = this.#load(file);
    const visit: Visited = { module, targets: [] };
    visited.set(file, visit);
    for (const { specifier: given } of module.imports) {
      const specifier = plainSpecifier(given, file);
      const target =
        this.#builtins[specifier] === undefined ? this.#resolver.resolve(specifier, file) : undefined;
      if (target === undefined && this.#builtins[specifier] === undefined) assertInstalled(specifier, file);
      visit.targets.push(target);
      if (target !== undefined && !isInPackage(target)) this.#visit(target, visited);
    }
  }

  #load(file: string): LocalModule {
    const known = this.#modules.get(file);
    if (known !== undefined && known.stamp === stampOf(file)) return known;
    const name = shownName(file);
    const options = this.#resolver.configs.of(dirname(file)).strip;
    const strip: Stripper = (source) => {
      // known before it is read, so that a syntax error can show the line
      trackSource(name, { name, source, original: (place) => place });
      return this.#strip(source, name, {
        allowsJsx: /\.[jt]sx$/.test(file),
        options: () => options,
      });
    };
    const module = readLocalModule(file, name, strip);
    this.#modules.set(file, module);
    return module;
  }

  /** The code of a module with the addresses of what it imports. */
  #link(module: LocalModule, targets: (string | undefined)[], urls: Map<string, string>): string {
    const url = urls.get(module.file)!;
    const edits = [...module.edits];
    module.imports.forEach(({ specifier, start, end }, i) => {
      const target = targets[i];
      if (this.#builtins[specifier] !== undefined) {
        edits.push({ start, end, text: JSON.stringify(BUILTIN_SCHEME + specifier) });
      } else if (target !== undefined) {
        edits.push({ start, end, text: JSON.stringify(urls.get(target) ?? pathToFileURL(target).href) });
      } else if (specifier.startsWith('npm:')) {
        edits.push({ start, end, text: JSON.stringify(withoutNpm(specifier)) });
      }
    });
    if (module.program !== undefined) edits.push(...importEdits(module.program, KERNEL_GLOBAL, true));
    edits.sort((a, b) => a.start - b.start);
    const edited = new EditedSource(module.code).takeEdited(0, module.code.length, edits);
    const name = shownName(module.file);
    trackSource(url, {
      name,
      source: module.source,
      original: (place) => module.original(edited.original(place)),
    });
    return edited.text + sourceComments(url);
  }
}

/** Throws where a file of the project imports a package that is not there, before Node hears of it. */
function assertInstalled(specifier: string, file: string): void {
  const name = packageNameOf(specifier);
  if (name === undefined || isOwnPackage(specifier) || isInstalled(name, file)) return;
  throw missingPackage(specifier, name, file);
}

/**
 * For each file a hash of its text and of everything that it imports. Files that import each other in a circle
 * share one: they are found as strongly connected components (Tarjan).
 */
function hashesOf(visited: Map<string, Visited>, renewals: (file: string) => number): Map<string, string> {
  const hashes = new Map<string, string>();
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const connect = (file: string) => {
    order.set(file, order.size);
    lowest.set(file, order.get(file)!);
    stack.push(file);
    const targets = visited
      .get(file)!
      .targets.filter((target) => target !== undefined && visited.has(target));
    for (const target of targets as string[]) {
      if (!order.has(target)) {
        connect(target);
        lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!));
      } else if (stack.includes(target)) {
        lowest.set(file, Math.min(lowest.get(file)!, order.get(target)!));
      }
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file)).sort();
    const hash = createHash('sha1');
    for (const member of circle) {
      const { module, targets } = visited.get(member)!;
      hash.update(JSON.stringify([member, module.source, renewals(member)]));
      for (const target of targets) hash.update(hashes.get(target ?? '') ?? String(target));
    }
    const digest = hash.digest('hex');
    for (const member of circle) hashes.set(member, digest);
  };
  for (const file of visited.keys()) if (!order.has(file)) connect(file);
  return hashes;
}
