/** Comms and widgets as TypeScript reads them; what they are is in comm/. */
export const widgetDeclarations = `
interface CommExtras {
  metadata?: Record<string, unknown>;
  /** Binary parts. */
  buffers?: readonly (ArrayBuffer | ArrayBufferView)[];
}
interface ReceivedExtras {
  metadata: Record<string, unknown>;
  buffers: Uint8Array[];
}
type CommListener = (data: Record<string, any>, extras: ReceivedExtras) => unknown;
/** One channel between code in cells and code in the client. */
interface Comm {
  readonly id: string;
  readonly target: string;
  readonly isOpen: boolean;
  send(data: Record<string, unknown>, extras?: CommExtras): void;
  close(data?: Record<string, unknown>, extras?: CommExtras): void;
  /** 'message': the other side has sent something; 'close': it has closed the comm. */
  on(event: 'message' | 'close', listener: CommListener): this;
  once(event: 'message' | 'close', listener: CommListener): this;
  off(event: 'message' | 'close', listener: CommListener): this;
  /** Waits for the next message, or for the end. */
  next(event: 'message' | 'close'): Promise<Record<string, any>>;
}
/** Comms: channels between code in cells and code in the client, as widgets use them. */
declare const comm: {
  /** Opens a comm to a target that code in the client has registered. */
  open(target: string, data?: Record<string, unknown>, extras?: CommExtras & { id?: string }): Comm;
  /** Lets the client open comms to a target. */
  register(target: string, onOpen: (comm: Comm, data: Record<string, any>, extras: ReceivedExtras) => unknown): void;
  /** Refuses further comms to a target. */
  unregister(target: string): void;
};

interface WidgetChange<S> {
  name: keyof S & string;
  value: any;
  old: any;
}
interface WidgetMethods<S> {
  /** The id under which the client knows it. */
  readonly id: string;
  readonly isOpen: boolean;
  get<K extends keyof S>(name: K): S[K];
  /** Changes one property, or several at once. */
  set<K extends keyof S>(name: K, value: S[K]): void;
  set(values: Partial<S>): void;
  /** A property has changed, here or in the client; \`change:value\` is for one of them. */
  on(event: 'change' | \`change:\${keyof S & string}\`, listener: (change: WidgetChange<S>) => unknown): this;
  /** The front end has sent something of its own. */
  on(event: 'message', listener: (content: any, buffers: Uint8Array[]) => unknown): this;
  /** A button was pressed, a text entered, the widget closed. */
  on(event: 'click' | 'submit' | 'close', listener: () => unknown): this;
  once: WidgetMethods<S>['on'];
  off(event: string, listener: (...values: any[]) => unknown): this;
  /** Waits until it happens next: \`const { value } = await slider.next('change')\`. */
  next(event: 'change' | \`change:\${keyof S & string}\`): Promise<WidgetChange<S>>;
  next(event: 'message'): Promise<any>;
  next(event: 'click' | 'submit' | 'close'): Promise<void>;
  /** Sends something of one's own to the front end, \`msg:custom\` there. */
  send(content: unknown, buffers?: readonly (ArrayBuffer | ArrayBufferView)[]): void;
  /** Takes the widget out of the client. */
  close(): void;
}
type Widget<S> = WidgetMethods<S> & S;
/** Names of CSS, \`{ width: '400px' }\`. */
type WidgetStyle = Record<string, unknown>;
interface WidgetShown {
  description: string;
  tooltip: string | null;
  layout: WidgetStyle | null;
  style: WidgetStyle | null;
}
interface WidgetInput extends WidgetShown {
  disabled: boolean;
}
interface WidgetRange {
  min: number;
  max: number;
  value: number;
  orientation: 'horizontal' | 'vertical';
}
interface SliderState extends WidgetInput, WidgetRange {
  step: number;
  readout: boolean;
  readoutFormat: string;
  continuousUpdate: boolean;
}
interface ButtonState extends WidgetInput {
  icon: string;
  buttonStyle: '' | 'primary' | 'success' | 'info' | 'warning' | 'danger';
}
interface ProgressState extends WidgetShown, WidgetRange {
  barStyle: '' | 'success' | 'info' | 'warning' | 'danger';
}
interface TextState extends WidgetInput {
  value: string;
  placeholder: string;
  continuousUpdate: boolean;
}
interface BoxState {
  children: Widget<any>[];
  boxStyle: '' | 'success' | 'info' | 'warning' | 'danger';
  layout: WidgetStyle | null;
}
/** Controls that JupyterLab shows where the front end of ipywidgets is installed. */
declare const widget: {
  slider(options?: Partial<SliderState>): Widget<SliderState>;
  button(options?: Partial<ButtonState>): Widget<ButtonState>;
  progress(options?: Partial<ProgressState>): Widget<ProgressState>;
  text(options?: Partial<TextState>): Widget<TextState>;
  textarea(options?: Partial<TextState & { rows: number | null }>): Widget<TextState & { rows: number | null }>;
  checkbox(options?: Partial<WidgetInput & { value: boolean; indent: boolean }>): Widget<WidgetInput & { value: boolean; indent: boolean }>;
  select<T>(options: Partial<WidgetInput> & { options: T[]; value?: NoInfer<T> | null }): Widget<WidgetInput & { options: T[]; value: T | null }>;
  html(options?: Partial<WidgetShown & { value: string }>): Widget<WidgetShown & { value: string }>;
  hbox(children: Widget<any>[], options?: Partial<BoxState>): Widget<BoxState>;
  vbox(children: Widget<any>[], options?: Partial<BoxState>): Widget<BoxState>;
};
/**
 * A widget with a front end of its own: \`esm\` is an ES module with a default export \`{ initialize?, render? }\`, as
 * source or URL (anywidget.dev). The client needs the front end of anywidget.
 */
declare function anywidget<S extends object = {}>(options: { esm: string | URL; css?: string | URL; state?: S }): Widget<S>;
`;
