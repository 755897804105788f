import type { CommMessage } from '../contract.js';
import type { EngineLink } from '../jupyter/engine-link.js';
import type { IoPub } from '../jupyter/iopub.js';
import type { Header, Json, Message } from '../jupyter/wire.js';

export interface CommRouterParts {
  engine: EngineLink;
  iopub: IoPub;
  /** Resolves when the cells that have been sent so far have ended. */
  cellsEnded(): Promise<void>;
  /** The header of the request of a cell. */
  headerOf(cell: string): Header | undefined;
  log(text: string): void;
}

/**
 * The transport's end of all comms: carries messages between the client and the main thread in the order of each
 * comm, and knows which comms are open, so that it can answer a client also while a cell computes.
 */
export class CommRouter {
  readonly #parts: CommRouterParts;
  /** The target of each open comm. */
  readonly #targets = new Map<string, string>();
  /** What a comm's next message waits for. */
  readonly #last = new Map<string, Promise<void>>();
  /** Requests that are being handled, by the id that the main thread knows them by. */
  readonly #headers = new Map<string, Header>();
  #received = 0;

  constructor(parts: CommRouterParts) {
    this.#parts = parts;
  }

  /** Answers `comm_info_request`. */
  info({ target_name: wanted }: Json): object {
    const all = [...this.#targets].filter(([, target]) => typeof wanted !== 'string' || target === wanted);
    const comms = Object.fromEntries(all.map(([id, target]) => [id, { target_name: target }]));
    return { status: 'ok', comms };
  }

  /** Handles `comm_open`, `comm_msg` and `comm_close` of the client; resolves when that is done. */
  async receive(request: Message): Promise<undefined> {
    const message = readComm(request);
    if (typeof message === 'string') {
      this.#parts.log(`ignored a ${request.header.msg_type}: ${message}`);
      const { comm_id: id } = request.content;
      // so that its sender does not wait for anything; a comm that works is left alone
      if (typeof id === 'string' && !this.#targets.has(id)) this.#refuse(id, request.header);
      return;
    }
    const { commId: id, type, targetName } = message;
    if (type === 'comm_open') {
      if (this.#targets.has(id)) {
        this.#parts.log(`ignored a comm_open: there is an open comm with the id ${JSON.stringify(id)}`);
        return;
      }
      this.#targets.set(id, targetName!);
    } else if (!this.#targets.has(id)) {
      if (type === 'comm_msg') this.#refuse(id, request.header);
      return;
    } else if (type === 'comm_close') {
      this.#targets.delete(id);
    }
    const before = this.#last.get(id);
    const handled = (async () => {
      await before;
      await this.#deliver(message, request.header);
    })();
    this.#last.set(id, handled);
    await handled;
    if (this.#last.get(id) === handled) this.#last.delete(id);
  }

  /** Publishes a message of the main thread. */
  onMessage(id: string, message: CommMessage): void {
    const { type, commId, targetName, data, metadata, buffers } = message;
    if (type === 'comm_open') this.#targets.set(commId, targetName!);
    if (type === 'comm_close') this.#targets.delete(commId);
    const content = {
      comm_id: commId,
      ...(targetName !== undefined && { target_name: targetName, target_module: null }),
      data,
    };
    const parent = this.#headers.get(id) ?? this.#parts.headerOf(id);
    const extras = { metadata, buffers: buffers.map((text) => Buffer.from(text, 'base64')) };
    this.#parts.iopub.publish(type, content, parent, extras);
  }

  async #deliver(message: CommMessage, header: Header): Promise<void> {
    const isKnown = await this.#send(message, header);
    if (message.type !== 'comm_open' || isKnown) return;
    // a cell that registers the target may have been sent before
    await this.#parts.cellsEnded();
    if (!(await this.#send(message, header))) this.#refuse(message.commId, header);
  }

  async #send(message: CommMessage, header: Header): Promise<boolean> {
    const id = `comm-${++this.#received}`;
    this.#headers.set(id, header);
    const { isKnown, problem } = await this.#parts.engine.deliver(message, id);
    this.#headers.delete(id);
    if (problem !== undefined) this.#parts.log(`ignored a ${message.type}: ${problem}`);
    return isKnown;
  }

  /** Nothing here knows the target or the comm: the other side is told at once, so that it does not wait. */
  #refuse(id: string, header: Header): void {
    this.#targets.delete(id);
    this.#parts.iopub.publish('comm_close', { comm_id: id, data: {} }, header);
  }
}

/** A message of the client as the contract has it, or what is wrong with it. */
function readComm({ header, metadata, content, buffers }: Message): CommMessage | string {
  const { comm_id: commId, target_name: targetName, data = {} } = content;
  const type = header.msg_type as CommMessage['type'];
  if (typeof commId !== 'string') return 'its comm_id is missing or no text';
  if (type === 'comm_open' && typeof targetName !== 'string') return 'its target_name is missing or no text';
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return 'its data is no object';
  const encoded = buffers.map((part) => part.toString('base64'));
  const message = { type, commId, data: data as Json, metadata, buffers: encoded };
  return type === 'comm_open' ? { ...message, targetName: targetName as string } : message;
}
