import type { CommMessage, FromEngine } from '../contract.js';
import type { DisplayApi } from '../display/display.js';
import type { BarView } from '../display/progress-view.js';
import { createWidgetApi } from './api.js';
import { CommManager } from './manager.js';
import { WidgetBar } from './progress-widget.js';
import { WidgetManager } from './widget-manager.js';

/** Comms and widgets as a host of cells needs them; they are optional. */
export interface CellComms {
  /** What cells find under these names. */
  globals: Record<string, unknown>;
  /** A progress bar that is a widget; undefined where the client shows no widgets. */
  createBar(): BarView | undefined;
  /** A message of the client. */
  receive(id: string, message: CommMessage): void;
  /** To be called after an interrupt, which may have come between any two steps. */
  recover(): void;
}

/** Makes them. Once per process. */
export function createCellComms(send: (message: FromEngine) => void, display: DisplayApi): CellComms {
  const comms = new CommManager(send);
  const widgets = new WidgetManager(comms);
  const api = createWidgetApi(widgets);
  return {
    globals: { comm: comms.api, ...api },
    createBar: () => (widgets.hasClient ? new WidgetBar(display, api) : undefined),
    receive: (id, message) => comms.receive(id, message),
    recover: () => comms.recover(),
  };
}
