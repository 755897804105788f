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
import { receiveMessageOnPort } from 'node:worker_threads';
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
    this.#port ??= this.#start();
    this.#port.postMessage(modules);
  }

  #start(): MessagePort {
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
