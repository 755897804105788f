import { randomUUID } from 'node:crypto';
import type { Executor } from './executor.js';
import type { Header, Json } from './wire.js';

/**
 * Subshells (JEP 91): further lanes of requests beside the main shell. All but cells is answered at once anyway;
 * cells of a subshell run beside those of others whenever the main thread is free, such as while another cell awaits.
 */
export class Subshells {
  readonly #executor: Executor;
  readonly #ids = new Set<string>();

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  create(): object {
    const id = randomUUID();
    this.#ids.add(id);
    this.#executor.openLane(id);
    return { status: 'ok', subshell_id: id };
  }

  delete({ subshell_id: id }: Json): object {
    if (typeof id !== 'string' || !this.#ids.delete(id)) return unknownSubshell(id);
    this.#executor.closeLane(id);
    return { status: 'ok' };
  }

  list(): object {
    return { status: 'ok', subshell_id: [...this.#ids] };
  }

  /** The lane of a request on the shell channel; undefined where it is for a subshell that is not there. */
  laneOf({ subshell_id: id }: Header): string | undefined {
    if (id === undefined || id === null) return '';
    return this.#ids.has(id) ? id : undefined;
  }
}

/** The answer to what is for a subshell that is not there. */
export function unknownSubshell(id: unknown): object {
  const evalue = `there is no subshell ${JSON.stringify(id ?? null)}`;
  return { status: 'error', ename: 'UnknownSubshellError', evalue, traceback: [] };
}
