import { type Runtime, Session } from 'node:inspector';
import { promiseOfCell } from './context.js';

/** How the evaluation of a cell went. */
export type Evaluated = { value: unknown } | { thrown: unknown } | 'terminated';

/** The part of `Runtime.evaluate` that is used here; Node's types do not know all of it. */
interface EvaluateParameters extends Runtime.EvaluateParameterType {
  replMode?: boolean;
  throwOnSideEffect?: boolean;
  timeout?: number;
}

type EvaluateAnswer = (error: Error | null, answer?: Runtime.EvaluateReturnType) => void;

/**
 * Runs code in V8's REPL mode, through the inspector, on the thread that calls it. Values come back as they are
 * and not as the inspector's descriptions.
 */
export class Evaluator {
  readonly #session = new Session();
  /**
   * The promises of cells that have not ended. The inspector answers when one of them is collected, which is within a
   * collection of garbage, where newer V8s may not call anything and end the process. So none is: not that of a cell
   * that waits for what never comes, and not that of one that was interrupted. They hold nothing of the cell's.
   */
  readonly #pending = new Set<object>();
  readonly #critical: <T>(action: () => T) => T;
  #received: unknown;
  #receiver: string | undefined;

  /** @param critical does something that is not to be terminated, which the inspector would not survive */
  constructor(critical: <T>(action: () => T) => T) {
    this.#critical = critical;
    this.#session.connect();
  }

  /** Evaluates a cell, which begins after this has returned: its code awaits `CELL_TURN` first. */
  evaluate(expression: string): Promise<Evaluated> {
    return new Promise((resolve) => {
      const parameters = {
        expression,
        replMode: true,
        awaitPromise: true,
        silent: true,
        objectGroup: 'cell',
      };
      let promise: object | undefined;
      let hasEnded = false;
      promise = promiseOfCell(() => {
        this.#post(parameters, (error, answer) => {
          hasEnded = true;
          if (promise !== undefined) this.#pending.delete(promise);
          if (error || !answer) {
            resolve('terminated');
            return;
          }
          const { result, exceptionDetails } = answer;
          const evaluated = exceptionDetails
            ? {
                thrown: exceptionDetails.exception
                  ? this.#value(exceptionDetails.exception)
                  : exceptionDetails.text,
              }
            : { value: this.#value(result) };
          // a number or a text is in no group, and a message to the inspector is a part of what a short cell takes
          if (exceptionDetails || result.objectId !== undefined)
            this.#session.post('Runtime.releaseObjectGroup', { objectGroup: 'cell' });
          resolve(evaluated);
        });
      });
      if (promise !== undefined && !hasEnded) this.#pending.add(promise);
    });
  }

  /** Ends the code from which this is called; never returns. */
  terminate(): never {
    this.#session.post('Runtime.terminateExecution');
    // V8 looks for the request when a loop turns round
    for (;;);
  }

  /**
   * The value of an expression that has no side effects, now; undefined where it has, fails, or takes longer than
   * a fifth of a second.
   */
  peek(expression: string): { value: unknown } | undefined {
    let found: { value: unknown } | undefined;
    this.#post(
      {
        expression,
        throwOnSideEffect: true,
        silent: true,
        timeout: 200,
        objectGroup: 'peek',
      },
      (error, answer) => {
        if (!error && answer && !answer.exceptionDetails) found = { value: this.#value(answer.result) };
      },
    );
    this.#session.post('Runtime.releaseObjectGroup', { objectGroup: 'peek' });
    return found;
  }

  /** Runs a declaration of the kernel's own in the scope of the cells, now. */
  declare(expression: string): void {
    this.#post({ expression: `'use strict';${expression}`, replMode: true, silent: true }, () => {});
  }

  /**
   * Gives names back to what is global: a declaration of a cell that failed before its variable had a value would
   * hide it for ever.
   */
  restoreGlobals(names: readonly string[]): void {
    for (const name of names) {
      if (name in globalThis && this.peek(name) === undefined)
        this.declare(`let ${name}=globalThis.${name};`);
    }
  }

  /** Names that `let` and `class` of earlier cells have declared. */
  lexicalNames(): string[] {
    let names: string[] = [];
    this.#session.post('Runtime.globalLexicalScopeNames', (error, answer) => {
      if (!error && answer) names = answer.names;
    });
    return names;
  }

  #post(parameters: EvaluateParameters, answer: EvaluateAnswer): void {
    this.#critical(() => this.#session.post('Runtime.evaluate', parameters, answer));
  }

  /** The value behind one of the inspector's descriptions. */
  #value(described: Runtime.RemoteObject): unknown {
    if (described.objectId === undefined && described.unserializableValue === undefined)
      return described.value;
    const { objectId, unserializableValue } = described;
    this.#session.post('Runtime.callFunctionOn', {
      objectId: this.#receiverId(),
      functionDeclaration: 'function (value) { this(value); }',
      arguments: [objectId === undefined ? { unserializableValue } : { objectId }],
      silent: true,
    });
    const value = this.#received;
    this.#received = undefined;
    return value;
  }

  /** The inspector's name for a function of ours, to which code that it runs can hand values. */
  #receiverId(): string {
    if (this.#receiver !== undefined) return this.#receiver;
    const key = Symbol.for('arclab.kernel.receive');
    const holder = globalThis as Record<symbol, unknown>;
    holder[key] = (value: unknown) => {
      this.#received = value;
    };
    this.#session.post(
      'Runtime.evaluate',
      { expression: "globalThis[Symbol.for('arclab.kernel.receive')]", objectGroup: 'kernel' },
      (_error, answer) => {
        this.#receiver = answer?.result.objectId;
      },
    );
    delete holder[key];
    return this.#receiver!;
  }
}
