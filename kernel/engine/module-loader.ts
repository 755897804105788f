import { register } from 'node:module';
import { pathToFileURL } from 'node:url';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { kernelFile, ownPackageName } from '../common/own-package.js';
import { withoutWarnings } from '../host/internals.js';

/** Addresses of what the kernel itself provides as modules. */
export const BUILTIN_SCHEME = 'arclab-kernel:';

/**
 * What runs in Node's thread for loading modules. It has no file of its own, so that the kernel stays one file;
 * sources come over the port before the import that asks for them begins.
 */
const HOOKS = `
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { receiveMessageOnPort } from 'node:worker_threads';
// Node would remember a folder without a package.json, also when it is there later
function isMissing(specifier, parent) {
  const name = /^(?:@[^/]+\\/)?[^/@.#:][^/:]*/.exec(specifier)?.[0];
  if (!name || /^[\\w+.-]+:/.test(specifier) || isBuiltin(specifier) || !parent?.startsWith('file:')) return false;
  let isInside = true;
  for (let at = new URL('.', parent); ; at = new URL('..', at)) {
    if (existsSync(new URL('node_modules/' + name, at))) return false;
    const own = new URL('package.json', at);
    if (isInside && existsSync(own)) {
      if (JSON.parse(readFileSync(own, 'utf8')).name === name) return false;
      isInside = false;
    }
    if (at.pathname === new URL('..', at).pathname) return true;
  }
}
function notFound(specifier, parent) {
  const text = "Cannot find package '" + specifier + "' imported from " + parent;
  return Object.assign(new Error(text), { code: 'ERR_MODULE_NOT_FOUND' });
}
const sources = new Map();
let port, builtins, own;
export function initialize(data) {
  port = data.port;
  builtins = new Set(data.builtins);
  own = data.own;
}
export async function resolve(specifier, context, next) {
  if (builtins.has(specifier)) return { url: '${BUILTIN_SCHEME}' + specifier, shortCircuit: true };
  if (specifier.startsWith('${BUILTIN_SCHEME}')) return { url: specifier, shortCircuit: true };
  try {
    if (isMissing(specifier, context.parentURL)) throw notFound(specifier, context.parentURL);
    return await next(specifier, context);
  } catch (error) {
    if (own.name !== specifier.split('/', own.parts).join('/')) throw error;
    return next(specifier, { ...context, parentURL: own.url });
  }
}
export function load(url, context, next) {
  for (let m; (m = receiveMessageOnPort(port)); ) for (const { url, code } of m.message) sources.set(url, code);
  const source = sources.get(url);
  if (source === undefined) return next(url, context);
  if (!url.startsWith('${BUILTIN_SCHEME}')) sources.delete(url);
  return { format: 'module', source, shortCircuit: true };
}
//# sourceURL=node:internal/kernel-modules
`;

/** Gives Node the modules that the kernel has made. */
export class ModuleLoader {
  readonly #builtins: Record<string, object>;
  #port: MessagePort | undefined;

  constructor(builtins: Record<string, object>) {
    this.#builtins = builtins;
  }

  /** Makes modules known by their addresses. The first time this starts Node's thread for loading, about 30 ms. */
  provide(modules: { url: string; code: string }[]): void {
    this.#started().postMessage(modules);
  }

  /** Lets Node's thread for loading modules find them from now on. */
  start(): void {
    this.#started();
  }

  #started(): MessagePort {
    this.#port ??= this.#register();
    return this.#port;
  }

  #register(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    const names = Object.keys(this.#builtins);
    const name = ownPackageName();
    const own = { name, parts: name?.split('/').length, url: pathToFileURL(kernelFile).href };
    // Node 26 wants hooks in this thread, which Node 20 does not have
    withoutWarnings(() =>
      register(`data:text/javascript,${encodeURIComponent(HOOKS)}`, {
        data: { port: port2, builtins: names, own },
        transferList: [port2],
      }),
    );
    port1.unref();
    port1.postMessage(
      names.map((name) => ({ url: BUILTIN_SCHEME + name, code: builtinModule(name, this.#builtins[name]!) })),
    );
    return port1;
  }
}

function builtinModule(name: string, exports: object): string {
  const named = Object.keys(exports).map((key) => `export const ${key} = whole.${key};`);
  return `const whole = __kernel__.builtin(${JSON.stringify(name)}); export default whole; ${named.join(' ')}`;
}
