/** What a supervisor finds in the memory of a kernel that has died. */
import { expect, test } from 'vitest';
import { KeptMemory } from '../../../kernel/host/kept-memory.js';
import { RecordKind } from '../../../kernel/host/ring.js';
import { leftoversIn } from '../../../kernel/supervisor/leftovers.js';

/** Memory in which two lines were written, and the first of them was sent. */
function twoLines(): { memory: KeptMemory; end: number } {
  const memory = new KeptMemory(new ArrayBuffer(KeptMemory.bytes));
  const first = memory.ring.put(0, RecordKind.Stdout, Buffer.from('first\n'));
  const end = memory.ring.put(first, RecordKind.Stdout, Buffer.from('second\n'));
  memory.written = end;
  memory.read = end;
  memory.setSent(first, 0);
  return { memory, end };
}

test('what was not sent is left', () => {
  const { memory } = twoLines();
  expect(leftoversIn(memory)).toMatchObject({
    messages: [{ type: 'output', output: { type: 'stream', name: 'stdout', text: 'second\n' } }],
    mayRepeat: false,
    lostBytes: 0,
  });
});

test('what was on its way when the process ended may be with clients already', () => {
  const { memory } = twoLines();
  memory.isSending = true;
  expect(leftoversIn(memory)).toMatchObject({ messages: [{}], mayRepeat: true });
});

test('nothing may be repeated where all was sent', () => {
  const { memory, end } = twoLines();
  memory.isSending = true;
  memory.setSent(end, 0);
  expect(leftoversIn(memory)).toMatchObject({ messages: [], mayRepeat: false });
});
