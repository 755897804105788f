import type { Runtime, Session } from 'node:inspector';
import { DebugError } from './protocol.js';

/** How long an answer of the main thread may take, in ms: native code that runs for long lets nothing in. */
const PATIENCE = 5000;

/** The Chrome DevTools Protocol to the main thread, which answers also while it computes or is stopped. */
export class Inspector {
  readonly #session: Session;
  readonly #listeners: [string, (message: { params: object }) => void][] = [];

  constructor(session: Session) {
    this.#session = session;
  }

  /** Calls a method. @throws {DebugError} with the inspector's reason, or when there is no answer */
  send<T = object>(method: string, params: object = {}, patience = PATIENCE): Promise<T> {
    return new Promise((resolve, reject) => {
      const text = `${method} got no answer in ${patience / 1000} s: the kernel runs native code or waits for input`;
      const timer = setTimeout(() => reject(new DebugError(text)), patience);
      this.#session.post(method, params, (error: Error | null, answer?: object) => {
        clearTimeout(timer);
        if (error) reject(new DebugError(`${method}: ${error.message}`));
        else resolve(answer as T);
      });
    });
  }

  on<T extends object>(event: string, handler: (params: T) => void): void {
    const listener = (message: { params: object }) => handler(message.params as T);
    this.#listeners.push([event, listener]);
    this.#session.on(event, listener);
  }

  /** Stops listening. */
  close(): void {
    for (const [event, listener] of this.#listeners.splice(0)) this.#session.off(event, listener);
  }

  /** Calls a function of the engine's `DebugView`; arguments and result are JSON. */
  async view<T>(name: string, ...args: unknown[]): Promise<T> {
    const expression = `__kernel__.debug.${name}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
    const { result, exceptionDetails } = await this.send<Runtime.EvaluateReturnType>('Runtime.evaluate', {
      expression,
      returnByValue: true,
      silent: true,
    });
    if (exceptionDetails) throw new DebugError(`${name}: ${result.description ?? exceptionDetails.text}`);
    return result.value;
  }
}
