import { type FallbackBackend, fallbackKernels, isNumeric, type KernelImplementation } from './fallback.js';
import * as tf from './tf.js';

/** Kernels by the name under which tfjs runs them. */
export type KernelTable<B> = Readonly<Record<string, KernelImplementation<B>>>;

/**
 * The kernels of one of our backends: those of tfjs's own operations, those of `ops/`, and for every other kernel that
 * tfjs's `cpu` backend has, that one on tensors brought to the host.
 */
export class OwnKernels<B extends FallbackBackend> {
  readonly backendName: string;
  readonly #numbersOnly: boolean;
  /** Kernels of tfjs's `cpu` backend on tensors of ours. */
  readonly #plain = new Map<string, KernelImplementation<B>>();

  /** @param options `numbersOnly`: kernels are not asked about strings and complex numbers, the plain ones take those */
  constructor(backendName: string, { numbersOnly }: { numbersOnly: boolean }) {
    this.backendName = backendName;
    this.#numbersOnly = numbersOnly;
  }

  /** The plain kernel of a name. */
  plain(name: string): KernelImplementation<B> | undefined {
    return this.#plain.get(name);
  }

  /** Runs a plain kernel, where ours does not cover the case at hand, such as an unusual dtype. */
  runPlain(name: string, call: Parameters<KernelImplementation<B>>[0]): tf.TensorInfo | tf.TensorInfo[] {
    const kernel = this.plain(name);
    if (kernel) return kernel(call);
    throw new Error(
      `${this.backendName} backend: kernel ${name} has no plain implementation for these inputs`,
    );
  }

  register(kernelName: string, implementation: KernelImplementation<B>): void {
    const checked: KernelImplementation<B> = (call) =>
      (isNumeric(call.inputs) ? implementation : (this.plain(kernelName) ?? implementation))(call);
    const kernelFunc = (this.#numbersOnly ? checked : implementation) as unknown as tf.KernelFunc;
    tf.registerKernel({ kernelName, backendName: this.backendName, kernelFunc });
  }

  /**
   * Registers a backend with all of its kernels.
   * @param registerTfjs registers those of tfjs's own operations
   * @param operations those of `ops/`, by operation
   */
  registerBackend(
    make: () => tf.KernelBackend,
    registerTfjs: readonly (() => void)[],
    operations: Readonly<Record<string, KernelTable<B>>>,
  ): void {
    for (const [name, kernel] of fallbackKernels<B>()) this.#plain.set(name, kernel);
    for (const register of registerTfjs) register();
    for (const table of Object.values(operations)) {
      for (const [name, kernel] of Object.entries(table)) this.register(name, kernel);
    }
    for (const [name, kernel] of this.#plain) {
      if (!tf.getKernel(name, this.backendName)) this.register(name, kernel);
    }
    tf.registerBackend(this.backendName, make, 3);
  }
}
