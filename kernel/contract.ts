/**
 * What the parts of the kernel say to each other.
 *
 * Two threads run in the process of a kernel. The **main thread** holds the cell engine and runs what the
 * person wrote; it may be busy for hours. The **transport thread** (a worker) holds the connection, ZeroMQ
 * or standard input and output, and is never busy: it answers heartbeats, carries output away while a cell
 * blocks, and stops a cell. Between them goes nothing but the messages below, over one `MessagePort`.
 */

/** A value in several representations, by MIME type: text as strings, `application/json` and its like as JSON. */
export type MimeBundle = Record<string, unknown>;

/** What a cell shows while it runs, in the words of the Jupyter messaging specification 5.4. */
export type CellOutput =
  | { type: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { type: 'display_data'; data: MimeBundle; metadata: MimeBundle; displayId?: string }
  | { type: 'update_display_data'; data: MimeBundle; metadata: MimeBundle; displayId: string }
  | { type: 'clear_output'; wait: boolean };

/** A cell to run. */
export interface CellRequest {
  /** TypeScript as the person wrote it. */
  code: string;
  /** The name that errors show, `cell-10.ts`: unique in the life of a kernel. */
  name: string;
}

/** An error of a cell as a person reads it; also the content of Jupyter's `error` message. */
export interface CellError {
  ename: string;
  evalue: string;
  /** Lines, with ANSI colours: the code frame first, then the frames that are not the kernel's own. */
  traceback: string[];
}

/** How a cell ended. `result` is absent where the last expression is `undefined` or there is none. */
export type CellOutcome =
  | { status: 'ok'; result?: { data: MimeBundle; metadata: MimeBundle } }
  | ({ status: 'error' } & CellError);

/** From the transport thread to the main thread. */
export type ToEngine =
  | { type: 'execute'; id: string; request: CellRequest }
  /** Give up a cell that waits for a promise ('': none); one that computes is stopped through the inspector. */
  | { type: 'abandon'; id: string }
  /**
   * Names of live values, for completion, and one value described, for inspection. The expression is evaluated
   * only as far as it has no side effects; the empty one stands for the global scope. Answered when the main
   * thread is free, so not while a cell computes.
   */
  | { type: 'properties'; id: string; expression: string }
  | { type: 'describe'; id: string; expression: string };

/**
 * From the main thread to the transport thread, in the order in which it happened: everything that a cell shows
 * arrives before its `done`. `id` names the request whose cell caused it; output of nobody in particular (a
 * child process, a native library) belongs to the last cell that began, and to '' before the first.
 */
export type FromEngine =
  | { type: 'output'; id: string; output: CellOutput }
  | { type: 'done'; id: string; outcome: CellOutcome }
  /** A rejection or an exception after its cell had ended, attributed to that cell. */
  | { type: 'late-error'; id: string; error: CellError }
  /** The cell waits for a line from the person. */
  | { type: 'input-request'; id: string; prompt: string; password: boolean }
  | { type: 'properties'; id: string; names: { name: string; kind: string }[] }
  | { type: 'describe'; id: string; text: string | undefined };

/** What a transport, running in the worker, gets to talk with the main thread (`connectToEngine` in host/). */
export interface EngineConnection {
  /** Cells run one after the other in the order they are sent; every `execute` is answered by one `done`. */
  send(message: ToEngine): void;
  /**
   * Messages are handed over one by one: where the handler returns a promise, the next one waits for it, and a
   * cell that prints faster than the transport carries away is slowed down instead of filling the memory.
   */
  onMessage(handler: (message: FromEngine) => void | Promise<void>): void;
  /**
   * Stops the cell that runs, whether it computes, waits for a promise or waits for a line: its `done` follows,
   * an error named `KernelInterrupted`. Where no cell runs, what an earlier one has left behind is stopped if it
   * keeps the main thread busy, and else nothing happens. SIGINT does the same by itself.
   */
  interrupt(): void;
  /** Answers an `input-request`; `undefined` where the client has no person to ask: the cell gets an error. */
  input(text: string | undefined): void;
  /** Ends the process, also one that is busy. What the transport has to say must be said before. */
  shutdown(): void;
}
