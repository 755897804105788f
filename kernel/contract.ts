import type { Session } from 'node:inspector';
import type { KeptMemory } from './host/kept-memory.js';

/**
 * The messages between the parts of the kernel.
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
  /** Cells of one lane run one after the other, and beside those of other lanes. Default: the main one, ''. */
  lane?: string | undefined;
}

/** An error of a cell as a person reads it; also the content of Jupyter's `error` message. */
export interface CellError {
  ename: string;
  evalue: string;
  /** Lines, with ANSI colours: the code frame first, then the frames that are not the kernel's own. */
  traceback: string[];
}

/**
 * How a cell ended. `result` is absent where the last expression is `undefined` or there is none; `nextInput` is code
 * that a client may put in place of the cell.
 */
export type CellOutcome =
  | { status: 'ok'; result?: { data: MimeBundle; metadata: MimeBundle }; nextInput?: string }
  | ({ status: 'error' } & CellError);

/**
 * A message of a comm, a channel between code in cells and code in the client (Jupyter messaging specification 5.4,
 * "Custom messages"). Both sides may open a comm, send and close.
 */
export interface CommMessage {
  type: 'comm_open' | 'comm_msg' | 'comm_close';
  commId: string;
  /** What a `comm_open` wants to talk to, such as `jupyter.widget`; absent in the others. */
  targetName?: string;
  data: Record<string, unknown>;
  metadata: Record<string, unknown>;
  /** The binary parts as base64: a message crosses the threads as JSON. */
  buffers: string[];
}

/** From the transport thread to the main thread. */
export type ToEngine =
  | { type: 'execute'; id: string; request: CellRequest }
  /** Abandon a cell that waits for a promise ('': none); one that computes is stopped through the inspector. */
  | { type: 'abandon'; id: string }
  /**
   * Names of live values, for completion, and one value described, for inspection. The expression is evaluated
   * only as far as it has no side effects; the empty one stands for the global scope. Answered when the main
   * thread is free, so not while a cell computes.
   */
  | { type: 'properties'; id: string; expression: string }
  | { type: 'describe'; id: string; expression: string }
  /** From the client, handled when the main thread is free, also while a cell waits for a promise. */
  | { type: 'comm'; id: string; message: CommMessage };

/**
 * From the main thread to the transport thread, in the order in which it happened: everything that a cell shows
 * arrives before its `done`. `id` names the request whose cell caused it; output without a known cell (a
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
  | { type: 'describe'; id: string; text: string | undefined }
  /** To the client; `id` names a cell, or the comm message that this one answers. */
  | { type: 'comm'; id: string; message: CommMessage }
  /**
   * A comm message was handled; `isKnown` is false where nothing has its target or its comm, and `problem` says what
   * its receiver could not handle.
   */
  | { type: 'comm-done'; id: string; isKnown: boolean; problem?: string | undefined };

/** What a transport, running in the worker, gets to talk with the main thread (`connectToEngine` in host/). */
export interface EngineConnection {
  /** Cells of a lane run one after the other in the order they are sent; every `execute` is answered by one `done`. */
  send(message: ToEngine): void;
  /**
   * Messages are handed over one by one: where the handler returns a promise, the next one waits for it, and a
   * cell that prints faster than the transport carries away is slowed down instead of filling the memory.
   */
  onMessage(handler: (message: FromEngine) => void | Promise<void>): void;
  /**
   * Stops the cell of the main lane, or of another where it has none, whether it computes, waits for a promise or
   * waits for a line: its `done` follows, an error named `KernelInterrupted`. Where no cell runs, what an earlier one
   * has left behind is stopped if it keeps the main thread busy, and else nothing happens. SIGINT does the same by
   * itself.
   */
  interrupt(): void;
  /** Answers an `input-request`; `undefined` where the client has no person to ask: the cell gets an error. */
  input(text: string | undefined): void;
  /** The inspector of the main thread, which answers also while a cell computes or stands at a breakpoint. */
  inspector(): Session;
  /** What is left for a supervisor where this process dies; undefined where there is none. */
  readonly kept: KeptMemory | undefined;
  /** The number of the message that is handed over now. */
  readonly handed: number;
  /** Says that all messages up to that number have left this process. */
  sent(number: number): void;
  /** Ends the process, also one that is busy. The transport must send its last messages before. */
  shutdown(): void;
}
