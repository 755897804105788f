import type { IoPub } from './iopub.js';
import type { Sockets } from './sockets.js';
import type { Json, Message, Wire } from './wire.js';

/** Where a request came in, and where its reply goes. */
export type RequestChannel = 'shell' | 'control';

/** Sends replies to those who asked. */
export class Replies {
  #wire: Wire;
  #sockets: Sockets;
  #iopub: IoPub;

  constructor(wire: Wire, sockets: Sockets, iopub: IoPub) {
    this.#wire = wire;
    this.#sockets = sockets;
    this.#iopub = iopub;
  }

  /** `kernel_info_request` is answered by `kernel_info_reply`, and so on; output of the request goes first. */
  send(channel: RequestChannel, request: Message, content: object, metadata: Json = {}): void {
    this.#iopub.flush();
    const type = request.header.msg_type.replace(/_request$/, '_reply');
    const frames = this.#wire.encode(type, content, request.header, {
      identities: request.identities,
      metadata,
    });
    this.#sockets.outboxes[channel].send(frames);
  }

  /** Asks the person who sent `request` for a line. */
  askForInput(request: Message, prompt: string, password: boolean): void {
    this.#iopub.flush();
    const frames = this.#wire.encode('input_request', { prompt, password }, request.header, {
      identities: request.identities,
    });
    this.#sockets.outboxes.stdin.send(frames);
  }
}
