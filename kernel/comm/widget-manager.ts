import { takeBuffers } from './buffers.js';
import { type Comm, type CommData, packMessage } from './comm.js';
import { type CommManager, CommProtocolError } from './manager.js';
import { Widget, type WidgetKind, type WidgetState } from './widget.js';

/** What widgets are opened to in the client, and their protocol. */
const TARGET = 'jupyter.widget';
const PROTOCOL = '2.1.0';
/** Where a client asks for all widgets at once, such as after its page was loaded anew. */
const CONTROL_TARGET = 'jupyter.widget.control';

/** The widgets of a kernel that are open. */
export class WidgetManager {
  readonly #comms: CommManager;
  readonly #widgets = new Map<string, Widget>();
  #hasClient = false;

  constructor(comms: CommManager) {
    this.#comms = comms;
    comms.register(CONTROL_TARGET, (comm) => {
      this.#hasClient = true;
      comms.attach(comm, { message: (data) => this.#control(comm, data) });
    });
  }

  /** Whether a client has asked for widgets, so that it can show them. */
  get hasClient(): boolean {
    return this.#hasClient;
  }

  create(kind: WidgetKind, state: WidgetState): Widget {
    return new Widget(kind, state, {
      send: this.#comms.send,
      open: (widget, data, buffers) => {
        const comm = this.#comms.open(TARGET, data, { metadata: { version: PROTOCOL }, buffers });
        this.#widgets.set(comm.id, widget);
        this.#comms.attach(comm, {
          message: (message, extras) => widget.receive(message, extras),
          closed: () => this.#widgets.delete(comm.id),
        });
        return comm;
      },
      answer: (widget, data, buffers) =>
        this.#comms.answer(packMessage('comm_msg', widget.id, data, { buffers })),
    });
  }

  #control(comm: Comm, { method }: CommData): void {
    if (method !== 'request_states') {
      throw new CommProtocolError(`${CONTROL_TARGET} knows no method ${JSON.stringify(method)}`);
    }
    const all: WidgetState = {};
    for (const [id, widget] of this.#widgets) {
      const state = widget.clientState();
      const { _model_name, _model_module, _model_module_version } = state;
      all[id] = { state, model_name: _model_name, model_module: _model_module };
      Object.assign(all[id] as object, { model_module_version: _model_module_version });
    }
    const { state: states, paths, buffers } = takeBuffers(all);
    this.#comms.answer(
      packMessage('comm_msg', comm.id, { method: 'update_states', states, buffer_paths: paths }, { buffers }),
    );
  }
}
