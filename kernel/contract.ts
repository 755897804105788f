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
  /** Give up a cell that waits for a promise; a cell that computes is stopped through the inspector. */
  | { type: 'abandon'; id: string }
  /** Names and types of live values, for completion and inspection; `expression` has no side effects. */
  | { type: 'properties'; id: string; expression: string }
  | { type: 'describe'; id: string; expression: string }
  | { type: 'shutdown' };

/** From the main thread to the transport thread. `id` names the request whose cell caused it. */
export type FromEngine =
  | { type: 'output'; id: string; output: CellOutput }
  | { type: 'done'; id: string; outcome: CellOutcome }
  /** A rejection or an exception after its cell had ended, attributed to that cell. */
  | { type: 'late-error'; id: string; error: CellError }
  /** The cell waits, blocked, for a line from the person. */
  | { type: 'input-request'; id: string; prompt: string; password: boolean }
  | { type: 'properties'; id: string; names: { name: string; kind: string }[] }
  | { type: 'describe'; id: string; text: string | undefined };
