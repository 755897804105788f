/**
 * The names that cells import. Most are variables of the notebook, as fast as any other. Where the export changes
 * while its module lives, the name is a getter that asks the module, as in an ES module; what of other modules has
 * changed nevertheless is brought up to date before each cell.
 */
import type { Evaluator } from './evaluator.js';
import type { KernelGlobal } from './kernel-global.js';
import type { ImportedName } from './modules.js';
import { KERNEL_GLOBAL } from './names.js';

/** The imported names of all cells so far. */
export class CellImports {
  readonly #evaluator: Evaluator;
  readonly #kernel: KernelGlobal;
  readonly #getters = new Set<string>();
  /** Imports that are variables, with the value that the variable was given. */
  readonly #copies = new Map<string, ImportedName>();

  constructor(evaluator: Evaluator, kernel: KernelGlobal) {
    this.#evaluator = evaluator;
    this.#kernel = kernel;
  }

  /** Declares the names that a cell has imported, before its code runs. */
  declare(imported: readonly ImportedName[]): void {
    // a variable hides what is global, and what libraries find there is not to be replaced
    const variables = imported.some(({ isLive }) => isLive) ? this.#evaluator.lexicalNames() : [];
    const canBeGetter = ({ local, isLive }: ImportedName) =>
      isLive && !variables.includes(local) && (this.#getters.has(local) || !(local in globalThis));
    for (const item of imported) if (canBeGetter(item)) this.#defineGetter(item);
    const copied = imported.filter((item) => !canBeGetter(item));
    if (copied.length === 0) return;
    this.#kernel.imported = Object.fromEntries(copied.map(({ local, value }) => [local, value]));
    this.#evaluator.declare(`let {${copied.map(({ local }) => local)}}=${KERNEL_GLOBAL}.imported;`);
    for (const item of copied) this.#copies.set(item.local, item);
  }

  /** Takes over what the modules have changed since, unless a cell has assigned something else. */
  refresh(): void {
    for (const [local, item] of this.#copies) {
      const value = item.read();
      if (Object.is(value, item.value)) continue;
      const current = this.#evaluator.peek(local);
      if (current === undefined || !Object.is(current.value, item.value)) {
        this.#copies.delete(local);
        continue;
      }
      item.value = value;
      this.#kernel.imported = { [local]: value };
      this.#evaluator.declare(`${local}=${KERNEL_GLOBAL}.imported.${local};`);
    }
  }

  #defineGetter({ local, read }: ImportedName): void {
    this.#getters.add(local);
    Object.defineProperty(globalThis, local, {
      get: read,
      // a cell may assign to an import, which then is a variable like any other
      set: (value) => {
        Object.defineProperty(globalThis, local, { value, writable: true, configurable: true });
      },
      configurable: true,
      enumerable: false,
    });
  }
}
