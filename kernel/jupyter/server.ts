import { CommRouter } from '../comm/router.js';
import type { EngineConnection } from '../contract.js';
import { Debugger } from '../debug/debugger.js';
import type { Language } from '../language/language.js';
import { type ConnectionInfo, socketNames } from './connection.js';
import { EngineLink } from './engine-link.js';
import { Executor, type TypeWarnings } from './executor.js';
import type { History, HistoryRequest } from './history/history.js';
import { IoPub } from './iopub.js';
import { kernelInfo } from './kernel-info.js';
import { completeReply, inspectReply, isCompleteReply } from './look.js';
import { PendingWriter } from './pending.js';
import { Replies, type RequestChannel } from './replies.js';
import { Sockets } from './sockets.js';
import { Subshells, unknownSubshell } from './subshells.js';
import { type Header, type Message, Wire, WireError } from './wire.js';

export interface ServerParts {
  connection: ConnectionInfo;
  engine: EngineConnection;
  language: Language;
  types: TypeWarnings;
  history: History;
  /** Prints a line for the process that started the kernel. */
  log(text: string): void;
}

type Handler = (request: Message) => object | undefined | Promise<object | undefined>;

/** A Jupyter kernel, seen from outside: requests come in, an engine does the work. */
export class JupyterServer {
  #parts: ServerParts;
  #wire: Wire;
  #sockets!: Sockets;
  #iopub!: IoPub;
  #replies!: Replies;
  #engine: EngineLink;
  #executor!: Executor;
  #comms!: CommRouter;
  #subshells!: Subshells;
  #debugger: Debugger;
  /** What a client asked of the debugger last: its events belong to that, and never to the outputs of a cell. */
  #debugging: Header | undefined;

  private constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#wire = new Wire(parts.connection.key, parts.connection.hash);
    this.#engine = new EngineLink(parts.engine, {
      onOutput: (id, output) => {
        this.#executor.onOutput(id, output);
        return this.#sockets.publisher.room();
      },
      onLateError: (id, error) => this.#executor.onLateError(id, error),
      onInputRequest: (id, prompt, password) => this.#executor.onInputRequest(id, prompt, password),
      onComm: (id, message) => {
        this.#comms.onMessage(id, message);
        return this.#sockets.publisher.room();
      },
    });
    this.#debugger = new Debugger({
      session: () => this.#engine.inspector(),
      emit: (event) => this.#iopub.publish('debug_event', event, this.#debugging),
    });
  }

  /** Binds the sockets and begins to answer. @throws {UserError} when a port is taken */
  static async start(parts: ServerParts): Promise<JupyterServer> {
    const server = new JupyterServer(parts);
    const { kept } = parts.engine;
    const early: (() => void)[] = [];
    let started = false;
    // a client may be faster than the last lines of this function
    const whenStarted = (f: () => void) => (started ? f() : early.push(f));
    server.#sockets = await Sockets.bind(parts.connection, {
      onRequest: (channel, frames) => whenStarted(() => server.#receive(channel, frames)),
      onSubscription: (topic, welcome) => whenStarted(() => server.#iopub.welcome(topic, welcome)),
      lossNote: (bytes) => server.#iopub.lossNote(bytes),
      log: parts.log,
      ...(kept && {
        onClients: (count: number) => {
          kept.listeners = count;
        },
        onSent: (number: number) => parts.engine.sent(number),
        onSending: (isSending: boolean) => {
          kept.isSending = isSending;
        },
      }),
    });
    server.#iopub = new IoPub(server.#wire, server.#sockets.publisher, () => parts.engine.handed);
    server.#replies = new Replies(server.#wire, server.#sockets, server.#iopub);
    server.#executor = new Executor({
      engine: server.#engine,
      iopub: server.#iopub,
      replies: server.#replies,
      history: parts.history,
      language: parts.language,
      types: parts.types,
      pending: new PendingWriter(kept, parts.connection),
    });
    server.#subshells = new Subshells(server.#executor);
    server.#comms = new CommRouter({
      engine: server.#engine,
      iopub: server.#iopub,
      cellsEnded: () => server.#executor.cellsEnded(),
      headerOf: (cell) => server.#executor.headerOf(cell),
      log: parts.log,
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
      return;
    }
    const { header } = message;
    const lane = channel === 'shell' ? this.#subshells.laneOf(header) : '';
    // a comm is not tied to the subshell that its messages come through
    const isRefused = lane === undefined && header.msg_type.endsWith('_request');
    if (isRefused) void this.#answer(channel, message, () => unknownSubshell(header.subshell_id));
    else if (header.msg_type === 'execute_request') this.#executor.add(message, lane);
    else void this.#answer(channel, message, this.#handlerOf(header.msg_type));
  }

  /** Answers everything but cells immediately, also while a cell runs. */
  async #answer(channel: RequestChannel, request: Message, handler: Handler | undefined): Promise<void> {
    const { header } = request;
    if (handler === undefined) {
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

  #handlerOf(type: string): Handler | undefined {
    return Object.hasOwn(this.#handlers, type) ? this.#handlers[type] : undefined;
  }

  /** What answers a type of message; a handler that returns nothing sends no reply. */
  #handlers: Record<string, Handler> = {
    kernel_info_request: () => kernelInfo(),
    connect_request: () => {
      const { ports } = this.#parts.connection;
      return {
        status: 'ok',
        ...Object.fromEntries(socketNames.map((name) => [`${name}_port`, ports[name]])),
      };
    },
    history_request: ({ content }) => {
      // a console asks for it first, and then whether a line is complete: TypeScript is loaded until then
      void this.#parts.language.isComplete('');
      return { status: 'ok', history: this.#parts.history.find(content as HistoryRequest) };
    },
    is_complete_request: ({ content }) => isCompleteReply(content, this.#parts.language),
    complete_request: ({ content }) => completeReply(content, this.#parts.language, this.#engine),
    inspect_request: ({ content }) => inspectReply(content, this.#parts.language, this.#engine),
    comm_info_request: ({ content }) => this.#comms.info(content),
    comm_open: (request) => this.#comms.receive(request),
    comm_msg: (request) => this.#comms.receive(request),
    comm_close: (request) => this.#comms.receive(request),
    create_subshell_request: () => this.#subshells.create(),
    delete_subshell_request: ({ content }) => this.#subshells.delete(content),
    list_subshell_request: () => this.#subshells.list(),
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
    debug_request: ({ header, content }) => {
      this.#debugging = header;
      return this.#debugger.answer(content);
    },
  };

  /** Sends what is still to be sent and ends the process. */
  async close(): Promise<void> {
    await this.#sockets.close();
    this.#parts.language.close();
    this.#parts.history.flush();
    this.#engine.shutdown();
  }
}
