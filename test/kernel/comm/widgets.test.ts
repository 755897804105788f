/** The protocol of widgets as a client sees it; what a browser makes of it is in ../browser. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KernelClient, type Received } from '../jupyter/client.js';

let kernel: KernelClient;
beforeAll(async () => {
  kernel = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'off' } });
});
afterAll(() => kernel.close());

const run = async (code: string) => {
  const { reply, outputs } = await kernel.execute(code);
  expect(reply.content).toMatchObject({ status: 'ok' });
  return outputs;
};
const ofType = (outputs: Received[], type: string) => outputs.filter((output) => output.type === type);
const shown = (outputs: Received[]) => outputs.at(-1)!.content.data;
/** What is published for a message until it was handled. */
async function send(id: string, data: object, buffers: Buffer[] = []): Promise<Received[]> {
  const request = await kernel.send('comm_msg', { comm_id: id, data }, 'shell', buffers);
  const outputs: Received[] = [];
  for (;;) {
    const message = await kernel.next(({ parent }) => parent === request);
    const state = message.type === 'status' && message.content.execution_state;
    if (state === 'idle') return outputs;
    if (state !== 'busy') outputs.push(message);
  }
}

test('a slider is opened as the protocol says, echoes what the client sets, and sends what its cell sets', async () => {
  const outputs = await run('const slider = widget.slider({ min: 10, max: 20, readoutFormat: "d" }); slider');
  const [open] = ofType(outputs, 'comm_open');
  expect(open).toMatchObject({
    metadata: { version: '2.1.0' },
    content: {
      target_name: 'jupyter.widget',
      data: {
        buffer_paths: [],
        state: {
          _model_module: '@jupyter-widgets/controls',
          _model_module_version: '2.0.0',
          _model_name: 'IntSliderModel',
          _view_name: 'IntSliderView',
          value: 10,
          readout_format: 'd',
        },
      },
    },
  });
  const id = open!.content.comm_id;
  expect(shown(outputs)).toEqual({
    'application/vnd.jupyter.widget-view+json': { version_major: 2, version_minor: 0, model_id: id },
    'text/plain': expect.stringMatching(/^slider \{.* min: 10, max: 20, value: 10/),
  });
  const echoes = await send(id, { method: 'update', state: { value: 12, unknown: 1 }, buffer_paths: [] });
  expect(echoes.map(({ content }) => content.data)).toEqual([
    { method: 'echo_update', state: { value: 12 }, buffer_paths: [] },
  ]);
  const updates = ofType(await run('slider.set({ value: 13, description: "steps" })'), 'comm_msg');
  expect(updates.map(({ content }) => content.data)).toEqual([
    { method: 'update', state: { value: 13, description: 'steps' }, buffer_paths: [] },
  ]);
  // what has not changed is not sent
  expect(ofType(await run('slider.value = 13'), 'comm_msg')).toEqual([]);
  const [state] = await send(id, { method: 'request_state' });
  expect(state!.content.data).toMatchObject({ method: 'update', state: { value: 13, min: 10 } });
});

test('a listener that sets another value overrides the client', async () => {
  const [open] = ofType(
    await run(`const even = widget.slider({ value: 2 });
      even.on('change:value', ({ value }) => { if (value % 2) even.value = value + 1; });`),
    'comm_open',
  );
  const id = open!.content.comm_id;
  await send(id, { method: 'update', state: { value: 5 } });
  const update = await kernel.next(
    ({ type, content }) => type === 'comm_msg' && content.comm_id === id && content.data.method === 'update',
  );
  expect(update.content.data.state).toEqual({ value: 6 });
});

test('a client that is opened later gets all widgets at once', async () => {
  await run(
    'widget.button({ description: "late" }); anywidget({ esm: "export default {}", state: { raw: Uint8Array.of(9) } }); 0',
  );
  await kernel.send('comm_open', {
    comm_id: 'control',
    target_name: 'jupyter.widget.control',
    data: {},
  });
  const [all] = await send('control', { method: 'request_states' });
  const { method, states, buffer_paths: paths } = all!.content.data;
  expect(method).toBe('update_states');
  const names = Object.values(states).map((state) => (state as { model_name: string }).model_name);
  expect(names).toEqual(expect.arrayContaining(['IntSliderModel', 'ButtonModel', 'AnyModel']));
  expect(paths).toHaveLength(1);
  const [[id, , name]] = paths;
  expect(states[id]).toMatchObject({
    model_name: 'AnyModel',
    model_module: 'anywidget',
    state: { _esm: 'export default {}' },
  });
  expect(name).toBe('raw');
  expect(all!.buffers).toEqual([Buffer.from([9])]);
  const { reply } = await kernel.ask('comm_info_request', { target_name: 'jupyter.widget' });
  expect(Object.keys(reply.content.comms).sort()).toEqual(Object.keys(states).sort());
});

test('what the client gets wrong changes nothing, and is one line of the log', async () => {
  const [open] = ofType(await run('const strict = widget.slider({ value: 1 })'), 'comm_open');
  const id = open!.content.comm_id;
  const restored = await send(id, { method: 'update', state: { value: 'much' } });
  expect(restored.map(({ content }) => content.data)).toEqual([
    { method: 'update', state: { value: 1 }, buffer_paths: [] },
  ]);
  expect(await send(id, { method: 'update', state: { value: 101 } })).toMatchObject([
    { content: { data: { state: { value: 1 } } } },
  ]);
  for (const data of [
    {},
    { method: 'fly' },
    { method: 'update' },
    { method: 'update', state: [1] },
    { method: 'update', state: {}, buffer_paths: [['value']] },
    { method: 'custom' },
  ]) {
    expect(await send(id, data)).toEqual([]);
  }
  const lines = kernel.log.split('\n').filter((line) => line.includes('ignored a comm_msg'));
  expect(lines).toEqual([
    expect.stringContaining('an update of a slider: value is of type string, expected number'),
    expect.stringContaining('an update of a slider: value is 101, expected a number from 0 to 100'),
    expect.stringContaining('a widget knows no method undefined'),
    expect.stringContaining('a widget knows no method "fly"'),
    expect.stringContaining('the state of an update is no object'),
    expect.stringContaining('the state of an update is no object'),
    expect.stringContaining('an update: it has 0 buffers, and places for 1'),
  ]);
  expect(shown(await run('strict.value'))['text/plain']).toBe('1');
});

test('a widget that is closed takes no messages, and keeps its properties', async () => {
  const [open] = ofType(await run('const gone = widget.text({ value: "a" })'), 'comm_open');
  const closed = await run('gone.close(); gone.value = "b"; gone');
  expect(ofType(closed, 'comm_close')).toHaveLength(1);
  expect(ofType(closed, 'comm_msg')).toEqual([]);
  expect(Object.keys(shown(closed))).toEqual(['text/plain']);
  expect(await send(open!.content.comm_id, { method: 'update', state: { value: 'c' } })).toMatchObject([
    { type: 'comm_close' },
  ]);
  expect(shown(await run('gone.value'))['text/plain']).toBe("'b'");
});

test('a button in a box: children go by their ids, clicks arrive', async () => {
  const outputs = await run(`const inner = widget.button();
    inner.on('click', () => console.log('clicked'));
    widget.hbox([inner], { layout: { flexFlow: 'wrap' } })`);
  const [button, layout, box] = ofType(outputs, 'comm_open').map(({ content }) => content);
  expect(layout.data.state).toMatchObject({ _model_name: 'LayoutModel', flex_flow: 'wrap' });
  expect(box.data.state).toMatchObject({
    children: [`IPY_MODEL_${button.comm_id}`],
    layout: `IPY_MODEL_${layout.comm_id}`,
  });
  await send(button.comm_id, { method: 'custom', content: { event: 'click' } });
  expect((await kernel.next(({ type }) => type === 'stream')).content.text).toBe('clicked\n');
});

test('progress is a widget for a client that has asked for widgets, and an output when it is over', async () => {
  const over = await run('for (const _ of progress([1, 2, 3], { label: "steps" })); undefined');
  const [first] = ofType(over, 'display_data');
  expect(first!.content.data).toMatchObject({
    'application/vnd.jupyter.widget-view+json': { version_major: 2 },
    'text/plain': expect.stringContaining('0/3'),
  });
  expect(ofType(over, 'comm_open').map(({ content }) => content.data.state._model_name)).toEqual([
    'FloatProgressModel',
    'HTMLModel',
    'HBoxModel',
  ]);
  expect(ofType(over, 'comm_close')).toHaveLength(3);
  const last = ofType(over, 'update_display_data').at(-1)!.content.data;
  expect(Object.keys(last).sort()).toEqual(['text/html', 'text/plain']);
  expect(last['text/plain']).toContain('3/3 100%');

  const unknown = await run(
    'for (const n of progress((function* () { yield 1; yield 2; })())) if (n === 2) break; undefined',
  );
  expect(ofType(unknown, 'comm_close')).toHaveLength(3);

  // one that goes on after its cell stays a widget, and its output says how far it was
  const open = await run('const bar = progress(4); bar.advance(1, "a note"); undefined');
  expect(ofType(open, 'comm_close')).toEqual([]);
  expect(ofType(open, 'update_display_data').at(-1)!.content.data).toMatchObject({
    'application/vnd.jupyter.widget-view+json': {},
    'text/plain': expect.stringContaining('1/4 25%'),
  });
  const moved = ofType(await run('bar.advance(1)'), 'comm_msg').map(({ content }) => content.data.state);
  expect(moved).toContainEqual({ value: 0.5 });
  const ended = await run('bar.set(4)');
  expect(ofType(ended, 'comm_close')).toHaveLength(3);
  expect(ofType(ended, 'update_display_data').at(-1)!.content.data['text/html']).toContain('4/4 100%');
});

test.each([
  ['widget.slider({ valu: 1 })', 'widget.slider has no property "valu"; it has description'],
  ['widget.slider({ value: 101 })', 'value is 101, expected a number from 0 to 100'],
  ['widget.slider({ min: 3, max: 1 })', 'min is 3 and above max, which is 1'],
  ['widget.slider({ value: NaN })', 'value is NaN, expected a number'],
  ['widget.slider({ step: 0 })', 'step is 0, expected a number above 0'],
  ['widget.slider({ max: "10" })', 'max is of type string, expected number'],
  ['widget.slider().value = 0.5', 'value is 0.5, and this slider has integers only'],
  ['widget.slider().set({ nothing: 1 })', 'has no property "nothing"'],
  ['widget.select({ options: ["a"], value: "b" })', 'value is "b", which is not among the options ["a"]'],
  ['widget.hbox([1])', 'children[0] is no widget'],
  ['widget.hbox(widget.button())', 'children is of type object, expected array'],
  ['anywidget({})', 'anywidget({ esm }) needs the source'],
  ['anywidget({ esm: 5 })', 'esm is of type number, expected source text or a URL'],
  ['anywidget({ esm: new URL("file:///nowhere.js") })', 'cannot read esm'],
])('a mistake is an error of the cell, and opens nothing: %s', async (code, text) => {
  const { reply, outputs } = await kernel.execute(code);
  expect(reply.content.evalue).toContain(text);
  const isSetLater = /\(\)\.(value|set)/.test(code) || code.includes('widget.button()');
  expect(ofType(outputs, 'comm_open')).toHaveLength(isSetLater ? 1 : 0);
});
