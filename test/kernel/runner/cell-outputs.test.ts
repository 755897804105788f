import { describe, expect, it } from 'vitest';
import { CellOutputs, type Displays } from '../../../kernel/runner/cell-outputs.js';

const outputsOf = (displays: Displays = new Map()) => new CellOutputs(displays);
const out = (text: string, name = 'stdout') => ['stream', { name, text }] as const;
const show = (text: string, id?: string) =>
  [
    'display_data',
    { data: { 'text/plain': text }, metadata: {}, ...(id && { transient: { display_id: id } }) },
  ] as const;
const data = (text: string) => ({ output_type: 'display_data', data: { 'text/plain': text }, metadata: {} });
const stream = (text: string, name = 'stdout') => ({ output_type: 'stream', name, text });

function merged(...messages: (readonly [string, Record<string, unknown>])[]) {
  const outputs = outputsOf();
  for (const [type, content] of messages) outputs.take(type, content);
  return outputs.outputs;
}

describe('outputs of a cell', () => {
  it('join neighbours of one stream, and only those', () => {
    expect(merged(out('a'), out('b\n'), out('c', 'stderr'), out('d'))).toEqual([
      stream('ab\n'),
      stream('c', 'stderr'),
      stream('d'),
    ]);
  });

  it.each([
    ['10%\r20%\r30%', '30%'],
    ['100\r9', '900'],
    ['ab\b\bc', 'cb'],
    ['a\r\nb', 'a\nb'],
    ['a\rb\nc\rd\n', 'b\nd\n'],
    ['one\ntwo\r3\nfour', 'one\n3wo\nfour'],
    ['\r\n\r\n', '\n\n'],
    ['a\n\b\bb', 'a\nb'],
  ])('show %j as a terminal would', (text, expected) => {
    expect(merged(out(text))).toEqual([stream(expected)]);
    expect(merged(...Array.from(text.replace('\r\n', '\n'), (c) => out(c)))).toEqual([stream(expected)]);
  });

  it('keep a progress bar of 100,000 steps to one line, quickly', () => {
    const outputs = outputsOf();
    outputs.take(...out('x'.repeat(1e6) + '\n'));
    for (let i = 0; i < 1e5; i++) outputs.take(...out(`\r${i}`));
    expect(outputs.outputs).toEqual([stream('x'.repeat(1e6) + '\n99999')]);
  });

  it('are cleared at once, or when something follows', () => {
    const clear = (wait: boolean) => ['clear_output', { wait }] as const;
    expect(merged(out('a'), clear(false))).toEqual([]);
    expect(merged(out('a'), clear(true))).toEqual([stream('a')]);
    expect(merged(out('a'), clear(true), show('b'))).toEqual([data('b')]);
    expect(merged(out('a'), clear(true), out('b'), out('c'))).toEqual([stream('bc')]);
  });

  it('are updated in place, in every cell that shows the display', () => {
    const displays: Displays = new Map();
    const [first, second] = [outputsOf(displays), outputsOf(displays)];
    first.take(...show('a', 'id'));
    first.take(...out('text'));
    second.take(...show('b', 'id'));
    expect(first.outputs).toEqual([data('b'), stream('text')]);
    first.isChanged = false;
    second.take('update_display_data', {
      data: { 'text/plain': 'c' },
      metadata: {},
      transient: { display_id: 'id' },
    });
    second.take('update_display_data', {
      data: { 'text/plain': 'x' },
      metadata: {},
      transient: { display_id: 'no' },
    });
    expect(first.outputs[0]).toEqual(data('c'));
    expect(second.outputs).toEqual([data('c')]);
    expect(first.isChanged).toBe(true);
  });

  it('ignore what is no output', () => {
    expect(merged(['status', { execution_state: 'busy' }], ['comm_open', {}])).toEqual([]);
  });
});
