/** @file Who owns the handles of libtorch's tensors: scopes free them, and captures keep them. */
import type { Device } from '../device.js';
import { TorchError } from './errors.js';
import { bindFunctions, type TorchFunctions } from './functions.js';
import { type Handle, RESULT_SLOT, type TorchLibrary } from './library.js';

/**
 * Handles of libtorch's tensors. One that an operation returns belongs to the innermost {@link tidy}, which frees all
 * but the one it returns.
 */
export class TorchHandles {
  readonly library: TorchLibrary;
  protected readonly functions: TorchFunctions;
  #scope: Handle[] | null = null;
  #live = 0;
  /** During a capture, what it keeps alive. */
  #held: Handle[] | null = null;

  constructor(library: TorchLibrary, device: Device) {
    this.library = library;
    this.functions = bindFunctions(library, device);
  }

  /** Handles that are alive. */
  get liveHandles(): number {
    return this.#live;
  }

  /** Whether what runs now is captured. */
  protected get isCapturing(): boolean {
    return this.#held !== null;
  }

  /** Runs `f` and frees every handle made in it but the one (or ones) that it returns. */
  tidy<T extends Handle | readonly Handle[] | undefined>(f: () => T): T {
    const outer = this.#scope;
    const scope: Handle[] = [];
    this.#scope = scope;
    // runs for every kernel: no lists are made for the one handle that nearly all of them return
    let kept: Handle | readonly Handle[] | undefined;
    const isKept = (handle: Handle) => (typeof kept === 'object' ? kept.includes(handle) : kept === handle);
    try {
      const result = f();
      kept = result;
      return result;
    } finally {
      this.#scope = outer;
      for (const handle of scope) if (!isKept(handle)) this.free(handle);
      if (outer && kept !== undefined) {
        if (typeof kept === 'object') outer.push(...kept);
        else outer.push(kept);
      }
    }
  }

  /** Takes a handle out of the innermost {@link tidy}: whoever calls this frees it. */
  claim(handle: Handle): void {
    if (this.#scope === null) return;
    const at = this.#scope.lastIndexOf(handle);
    if (at >= 0) this.#scope.splice(at, 1);
  }

  /** Takes a new handle that a function wrote to the result slot. */
  protected take(handle = this.library.getInt(RESULT_SLOT)): Handle {
    this.#live++;
    this.#scope?.push(handle);
    return handle;
  }

  free(handle: Handle): void {
    if (this.#held) {
      this.#held.push(handle);
      return;
    }
    this.#live--;
    this.functions.delete(handle);
  }

  /** A second handle on the same tensor. */
  duplicate(handle: Handle): Handle {
    this.functions.duplicate(handle, this.library.slot(RESULT_SLOT));
    return this.take();
  }

  /** Runs `f` and frees nothing. @returns the handles that would have been freed, and one of each tensor it was given */
  capturing<T>(f: () => T): { result: T; held: Handle[] } {
    const held: Handle[] = [];
    this.#held = held;
    try {
      return { result: f(), held };
    } catch (error) {
      this.#held = null;
      for (const handle of held) this.free(handle);
      throw error;
    } finally {
      this.#held = null;
    }
  }

  /** A handle that lives as long as what is captured now; the same handle where nothing is. */
  protected lasting(handle: Handle): Handle {
    if (!this.#held) return handle;
    this.functions.duplicate(handle, this.library.slot(RESULT_SLOT));
    const lasting = this.library.getInt(RESULT_SLOT);
    this.#live++;
    this.#held.push(lasting);
    return lasting;
  }

  /** @throws {TorchError} during a capture, of which the host is no part */
  protected assertNoCapture(what: string): void {
    if (this.#held) throw new TorchError('capture', `${what} cannot be part of a graph`);
  }
}
