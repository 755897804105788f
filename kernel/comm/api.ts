import { type AnyWidgetOptions, anyWidgetKind } from './anywidget.js';
import { type Control, controls } from './controls.js';
import { controlKind, sliderControl, styleKind } from './kinds.js';
import type { Widget, WidgetState } from './widget.js';
import type { WidgetManager } from './widget-manager.js';

export type WidgetApi = ReturnType<typeof createWidgetApi>;

/** Makes the functions with which cells make widgets: the globals `widget` and `anywidget`. */
export function createWidgetApi(manager: WidgetManager) {
  const create = (name: string, control: Control, options: WidgetState): Widget => {
    for (const option of Object.keys(options)) {
      if (option in control.defaults) continue;
      const known = Object.keys(control.defaults).join(', ');
      throw new TypeError(`widget.${name} has no property "${option}"; it has ${known}`);
    }
    const state: WidgetState = { ...control.defaults, ...options };
    if (options.value === undefined && 'min' in state) state.value = clamp(state);
    // before anything is opened in the client
    const kind = controlKind(name, control);
    const problem = kind.check(state);
    if (problem !== undefined) throw new TypeError(`widget.${name}: ${problem}`);
    if (isPlain(state.layout)) state.layout = manager.create(styleKind('Layout'), state.layout);
    if (isPlain(state.style)) state.style = manager.create(styleKind(control.style!), state.style);
    return manager.create(kind, state);
  };
  const { intSlider: _int, floatSlider: _float, hbox, vbox, ...simple } = controls;
  const make = Object.entries(simple).map(([name, control]) => [
    name,
    (options: WidgetState = {}) => create(name, control, options),
  ]);
  const widget = {
    ...(Object.fromEntries(make) as Record<keyof typeof simple, (options?: WidgetState) => Widget>),
    slider: (options: WidgetState = {}) => {
      const { name, control } = sliderControl(options);
      return create(name, control, options);
    },
    hbox: (children: Widget[], options: WidgetState = {}) => create('hbox', hbox, { ...options, children }),
    vbox: (children: Widget[], options: WidgetState = {}) => create('vbox', vbox, { ...options, children }),
  };
  const anywidget = (options: AnyWidgetOptions) =>
    manager.create(anyWidgetKind(options), options.state ?? {});
  return { widget, anywidget };
}

function clamp({ min, max, value }: WidgetState): number {
  return Math.max(Number(min), Math.min(Number(max), Number(value)));
}

function isPlain(value: unknown): value is WidgetState {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
