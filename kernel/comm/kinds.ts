import { type Control, controls } from './controls.js';
import type { WidgetKind, WidgetState } from './widget.js';

/** The version of the models in `@jupyter-widgets/base` and `@jupyter-widgets/controls` of ipywidgets 8. */
const VERSION = '2.0.0';
const CONTROLS = '@jupyter-widgets/controls';
const BASE = '@jupyter-widgets/base';

/** Names as ipywidgets has them: `readoutFormat` is `readout_format`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function camelCase(name: string): string {
  return name.replace(/(?<!^)_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function renamed(state: WidgetState, rename: (name: string) => string): WidgetState {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [rename(name), value]));
}

function identity(module: string, model: string, viewModule: string, view: string): WidgetState {
  return {
    _model_module: module,
    _model_module_version: VERSION,
    _model_name: model,
    _view_module: viewModule,
    _view_module_version: VERSION,
    _view_name: view,
  };
}

/** The kind of widgets that a control is. */
export function controlKind(name: string, control: Control): WidgetKind {
  const { model, view = model, defaults } = control;
  const isSelect = 'options' in defaults;
  return {
    name,
    fixed: identity(CONTROLS, `${model}Model`, CONTROLS, `${view}View`),
    toClient: (state, all) => renamed(isSelect ? toIndex(state, all) : state, snakeCase),
    fromClient: (state, all) => (isSelect ? fromIndex : identityOf)(renamed(state, camelCase), all),
    check: (state) => wrongType(state, defaults) ?? control.check?.(state),
    events: control.events ?? [],
  };
}

/** The kind of a control's `style`, or of the `layout` of any widget: names of CSS, all free. */
export function styleKind(model: string): WidgetKind {
  const isLayout = model === 'Layout';
  return {
    name: isLayout ? 'layout' : 'style',
    fixed: identity(isLayout ? BASE : CONTROLS, `${model}Model`, BASE, isLayout ? 'LayoutView' : 'StyleView'),
    toClient: (state) => renamed(state, snakeCase),
    fromClient: (state) => renamed(state, camelCase),
    check: () => undefined,
    events: [],
  };
}

/** Whether numbers ask for the slider of integers. */
export function sliderControl(options: WidgetState): { name: string; control: Control } {
  const isInteger = ['min', 'max', 'step', 'value'].every(
    (name) => options[name] === undefined || Number.isInteger(options[name]),
  );
  return { name: 'slider', control: isInteger ? controls.intSlider : controls.floatSlider };
}

/** Properties with a default keep its type. */
function wrongType(state: WidgetState, defaults: WidgetState): string | undefined {
  for (const [name, value] of Object.entries(state)) {
    const model = defaults[name];
    if (model === null || model === undefined) continue;
    const expected = Array.isArray(model) ? 'array' : typeof model;
    const given = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
    if (given !== expected) return `${name} is of type ${given}, expected ${expected}`;
  }
  return undefined;
}

const identityOf = (state: WidgetState) => state;

/** The client has the labels of a selection, and the index of the one that is chosen. */
function toIndex({ options, value, ...rest }: WidgetState, all: WidgetState): WidgetState {
  const every = all.options as unknown[];
  const index = every.indexOf(all.value);
  return {
    ...rest,
    ...(options !== undefined && { _options_labels: every.map(String) }),
    ...((options !== undefined || value !== undefined) && { index: index < 0 ? null : index }),
  };
}

function fromIndex({ index, ...rest }: WidgetState, all: WidgetState): WidgetState {
  if (index === undefined) return rest;
  const chosen = index === null ? null : (all.options as unknown[])[index as number];
  // an index that is out of range is no value, and refused as such
  return { ...rest, value: chosen === undefined ? `option ${JSON.stringify(index)}` : chosen };
}
