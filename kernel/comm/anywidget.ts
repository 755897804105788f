import { readFileSync } from 'node:fs';
import type { WidgetKind, WidgetState } from './widget.js';

/** What an anywidget is made of. */
export interface AnyWidgetOptions {
  /** An ES module with a default export `{ initialize?, render? }`: its source, its file (a `file:` URL), or its address. */
  esm: string | URL;
  /** Styles, given in the same way. */
  css?: string | URL;
  /** What module and cell share: JSON, and typed arrays. */
  state?: WidgetState;
}

/**
 * The kind of a widget that brings its own front end (anywidget.dev, "AFM"). The client needs the front end of
 * anywidget; which version is left to what is installed there.
 * @throws {TypeError} where a part is missing or cannot be read
 */
export function anyWidgetKind({ esm, css }: AnyWidgetOptions): WidgetKind {
  if (esm === undefined) throw new TypeError('anywidget({ esm }) needs the source of an ES module or a URL');
  return {
    name: 'anywidget',
    fixed: {
      _model_module: 'anywidget',
      _model_module_version: '*',
      _model_name: 'AnyModel',
      _view_module: 'anywidget',
      _view_module_version: '*',
      _view_name: 'AnyView',
      _anywidget_id: 'arclab.anywidget',
      _esm: sourceOf('esm', esm),
      ...(css !== undefined && { _css: sourceOf('css', css) }),
    },
    toClient: (state) => state,
    fromClient: (state) => state,
    check: () => undefined,
    events: [],
  };
}

function sourceOf(name: string, given: string | URL): string {
  if (typeof given === 'string') return given;
  if (!(given instanceof URL)) {
    throw new TypeError(`anywidget: ${name} is of type ${typeof given}, expected source text or a URL`);
  }
  if (given.protocol !== 'file:') return given.href;
  try {
    return readFileSync(given, 'utf8');
  } catch (error) {
    throw new TypeError(`anywidget: cannot read ${name}: ${(error as Error).message}`);
  }
}
