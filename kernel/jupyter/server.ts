import type { EngineConnection } from '../contract.js';
import type { Language } from '../language/language.js';
import { type Connection, channels } from './connection.js';
import { EngineLink } from './engine-link.js';
import { Executor, type TypeWarnings } from './executor.js';
import { History, type HistoryRequest } from './history.js';
import { IoPub } from './iopub.js';
import { kernelInfo } from './kernel-info.js';
import { completeReply, inspectReply } from './look.js';
import { pageOf } from './pager.js';
import { Replies, type RequestChannel } from './replies.js';
import { Sockets } from './sockets.js';
import { type Json, type Message, Wire, WireError } from './wire.js';

export interface ServerParts {
  connection: Connection;
  engine: EngineConnection;
  language: Language;
  types: TypeWarnings;
  /** Says a line to whoever started the kernel. */
  log(text: string): void;
}

/** A Jupyter kernel, seen from outside: requests come in, an engine does the work. */
export class JupyterServer {
  #parts: ServerParts;
  #wire: Wire;
  #sockets!: Sockets;
  #iopub!: IoPub;
  #replies!: Replies;
  #engine: EngineLink;
  #executor!: Executor;
  #history = new History();

  private constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#wire = new Wire(parts.connection.key, parts.connection.hash);
    this.#engine = new EngineLink(parts.engine, {
      onOutput: (id, output) => this.#executor.onOutput(id, output),
      onLateError: (id, error) => this.#executor.onLateError(id, error),
      onInputRequest: (id, prompt, password) => this.#executor.onInputRequest(id, prompt, password),
    });
  }

  /** Binds the sockets and begins to answer. @throws {UserError} when a port is taken */
  static async start(parts: ServerParts): Promise<JupyterServer> {
    const server = new JupyterServer(parts);
    const early: (() => void)[] = [];
    let started = false;
    // a client may be faster than the last lines of this function
    const whenStarted = (f: () => void) => (started ? f() : early.push(f));
    server.#sockets = await Sockets.bind(parts.connection, {
      onRequest: (channel, frames) => whenStarted(() => server.#receive(channel, frames)),
      onSubscription: (topic) => whenStarted(() => server.#iopub.welcome(topic)),
      log: parts.log,
    });
    server.#iopub = new IoPub(server.#wire, server.#sockets.outboxes.iopub);
    server.#replies = new Replies(server.#wire, server.#sockets, server.#iopub);
    server.#executor = new Executor({
      engine: server.#engine,
      iopub: server.#iopub,
      replies: server.#replies,
      history: server.#history,
      language: parts.language,
      types: parts.types,
    });
    started = true;
    server.#engine.start();
    server.#iopub.status('starting', undefined);
    for (const f of early) f();
    return server;
  }

  #receive(channel: 'shell' | 'control' | 'stdin', frames: Buffer[]): void {
    let message: Message;
    try {
      message = this.#wire.decode(frames);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#parts.log(`dropped ${error.message} (${channel})`);
      return;
    }
    if (channel === 'stdin') {
      if (message.header.msg_type === 'input_reply') this.#engine.answerInput(String(message.content.value));
    } else if (message.header.msg_type === 'execute_request') {
      this.#executor.add(message);
    } else {
      void this.#answer(channel, message);
    }
  }

  /** Answers everything but cells at once, also while a cell runs. */
  async #answer(channel: RequestChannel, request: Message): Promise<void> {
    const { header } = request;
    const handler = Object.hasOwn(this.#handlers, header.msg_type) && this.#handlers[header.msg_type];
    if (!handler) {
      this.#parts.log(`ignored a message of unknown type "${header.msg_type}" (${channel})`);
      return;
    }
    this.#iopub.status('busy', header);
    try {
      const content = await handler(request);
      if (content) this.#replies.send(channel, request, content);
    } catch (error) {
      const { name, message, stack = '' } = error as Error;
      const failure = { status: 'error', ename: name, evalue: message, traceback: stack.split('\n') };
      this.#replies.send(channel, request, failure);
    }
    this.#iopub.status('idle', header);
    // clients show the last state that they hear of, and the cell still runs
    if (this.#executor.current) this.#iopub.status('busy', this.#executor.current);
    if (header.msg_type === 'shutdown_request') await this.close();
  }

  /** What answers a type of message; a handler that returns nothing sends no reply. */
  #handlers: Record<string, (request: Message) => object | undefined | Promise<object>> = {
    kernel_info_request: () => kernelInfo(),
    connect_request: () => {
      const { ports } = this.#parts.connection;
      return { status: 'ok', ...Object.fromEntries(channels.map((name) => [`${name}_port`, ports[name]])) };
    },
    history_request: ({ content }) => ({
      status: 'ok',
      history: this.#history.find(content as HistoryRequest),
    }),
    is_complete_request: ({ content: { code } }) =>
      pageOf(String(code)) === undefined
        ? this.#parts.language.isComplete(String(code))
        : { status: 'complete' },
    complete_request: ({ content }) => completeReply(content, this.#parts.language, this.#engine),
    inspect_request: ({ content }) => inspectReply(content, this.#parts.language, this.#engine),
    comm_info_request: () => ({ status: 'ok', comms: {} }),
    // nothing here knows any target: the other side is told at once, so that it does not wait
    comm_open: ({ header, content }) => {
      this.#iopub.publish('comm_close', { comm_id: content.comm_id, data: {} }, header);
      return undefined;
    },
    comm_msg: () => undefined,
    comm_close: () => undefined,
    interrupt_request: () => {
      this.#executor.interrupt();
      return { status: 'ok' };
    },
    shutdown_request: ({ header, content }) => {
      this.#executor.close();
      const reply = { status: 'ok', restart: content.restart === true };
      this.#iopub.publish('shutdown_reply', reply, header);
      return reply;
    },
    debug_request: ({ content }) => debugReply(content),
  };

  /** Says what is still to be said and ends the process. */
  async close(): Promise<void> {
    await this.#sockets.close();
    this.#parts.language.close();
    this.#engine.shutdown();
  }
}

/** There is no debugger: the answer of the Debug Adapter Protocol says so. */
function debugReply({ seq, command }: Json): object {
  const message = 'this kernel has no debugger; start Node with --inspect';
  return { type: 'response', seq: 0, request_seq: seq ?? 0, success: false, command: command ?? '', message };
}
