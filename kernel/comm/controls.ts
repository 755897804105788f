/** The controls of ipywidgets that cells can make, as data: which model of its front end each is, and its properties. */
import { Widget, type WidgetState } from './widget.js';

/** A control: its front end, its properties and their defaults, and what else must hold for them. */
export interface Control {
  /** `IntSlider` stands for `IntSliderModel` and `IntSliderView`. */
  model: string;
  /** Where the view is called otherwise. */
  view?: string;
  /** The model of its `style`, where it has one. */
  style?: string;
  defaults: WidgetState;
  /** What is wrong with a state, if anything. */
  check?(state: WidgetState): string | undefined;
  /** Events that its front end sends. */
  events?: readonly string[];
}

const shown = { description: '', tooltip: null, layout: null };
const input = { ...shown, style: null, disabled: false };
const range = { min: 0, max: 100, value: 0, orientation: 'horizontal' };
const slider = { ...input, ...range, step: 1, readout: true, continuousUpdate: true };
const text = { ...input, value: '', placeholder: '', continuousUpdate: true };
const box = { layout: null, children: [], boxStyle: '' };

/** By the name of the function in cells; `slider` is one of two, by its numbers. */
export const controls = {
  intSlider: {
    model: 'IntSlider',
    style: 'SliderStyle',
    defaults: { ...slider, readoutFormat: 'd' },
    check: (state) => checkIntegers(state) ?? checkRange(state),
  },
  floatSlider: {
    model: 'FloatSlider',
    style: 'SliderStyle',
    defaults: { ...slider, step: 0.1, readoutFormat: '.2f' },
    check: checkRange,
  },
  button: {
    model: 'Button',
    style: 'ButtonStyle',
    defaults: { ...input, icon: '', buttonStyle: '' },
    events: ['click'],
  },
  progress: {
    model: 'FloatProgress',
    view: 'Progress',
    style: 'ProgressStyle',
    defaults: { ...shown, ...range, style: null, barStyle: '' },
    check: checkRange,
  },
  text: { model: 'Text', style: 'TextStyle', defaults: text, events: ['submit'] },
  textarea: { model: 'Textarea', style: 'TextStyle', defaults: { ...text, rows: null } },
  checkbox: { model: 'Checkbox', style: 'CheckboxStyle', defaults: { ...input, value: false, indent: true } },
  select: {
    model: 'Dropdown',
    style: 'DescriptionStyle',
    defaults: { ...input, options: [], value: null },
    check: checkOption,
  },
  html: { model: 'HTML', style: 'HTMLStyle', defaults: { ...shown, style: null, value: '' } },
  hbox: { model: 'HBox', defaults: box, check: checkChildren },
  vbox: { model: 'VBox', defaults: box, check: checkChildren },
} as const satisfies Record<string, Control>;

function checkIntegers({ min, max, step, value }: WidgetState): string | undefined {
  for (const [name, number] of Object.entries({ min, max, step, value })) {
    if (!Number.isInteger(number)) {
      return `${name} is ${number}, and this slider has integers only; make it with a step such as 0.1`;
    }
  }
  return undefined;
}

function checkRange({ min, max, step = 1, value }: WidgetState): string | undefined {
  for (const [name, number] of Object.entries({ min, max, step, value })) {
    if (!Number.isFinite(number)) return `${name} is ${String(number)}, expected a number`;
  }
  if ((min as number) > (max as number)) return `min is ${min} and above max, which is ${max}`;
  if ((value as number) < (min as number) || (value as number) > (max as number)) {
    return `value is ${value}, expected a number from ${min} to ${max}`;
  }
  return (step as number) > 0 ? undefined : `step is ${step}, expected a number above 0`;
}

function checkOption({ options, value }: WidgetState): string | undefined {
  if (value === null || (options as unknown[]).includes(value)) return undefined;
  return `value is ${JSON.stringify(value)}, which is not among the options ${JSON.stringify(options)}`;
}

function checkChildren({ children }: WidgetState): string | undefined {
  const wrong = (children as unknown[]).findIndex((child) => !(child instanceof Widget));
  return wrong < 0 ? undefined : `children[${wrong}] is no widget`;
}
