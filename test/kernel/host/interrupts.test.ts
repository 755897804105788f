import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Channel, Side } from '../../../kernel/host/channel.js';
import { mayTerminate, nextStep } from '../../../kernel/host/interrupt.js';
import { OutputWriter } from '../../../kernel/host/output.js';
import { type HostRequest, RequestSender, receiveRequests } from '../../../kernel/host/requests.js';
import { buildFile } from '../../../src/common/files.js';
import { fuzzInterrupts } from './interrupt-fuzz.js';

it('no interrupt loses the kernel: near the end of cells, in large results, anywhere', async () => {
  const report = await fuzzInterrupts(
    { nearEnd: 120, largeResult: 12, anywhere: 40 },
    7,
    buildFile('kernel.cjs'),
  );
  expect([report.lost, report.wrong]).toEqual([[], []]);
  expect(report.interrupts).toBe(172);
  // both ends were met: cells that were ended, and cells that had ended
  expect(report.interrupted).toBeGreaterThan(20);
  expect(report.interrupted).toBeLessThan(172);
}, 120_000);

describe('the decision', () => {
  const interrupt = { cell: 5, request: 6, attempts: 0 };

  it('terminates the cell that is meant and what earlier cells left, and no other cell', () => {
    const terminates = (cell: number) => mayTerminate(interrupt, { accepted: 5, cell });
    expect([5, 0, 4, 7].map(terminates)).toEqual([true, true, false, false]);
    expect(mayTerminate({ ...interrupt, cell: 0 }, { accepted: 5, cell: 5 })).toBe(false);
  });

  it('is over when the main thread has accepted the request, and not before', () => {
    expect(nextStep(interrupt, { accepted: 6, cell: 5 }).lookAfter).toBeUndefined();
    for (const cell of [0, 5, 7]) {
      expect(nextStep(interrupt, { accepted: 5, cell }).lookAfter).toBeGreaterThan(0);
    }
  });

  it('signals child processes once', () => {
    const signals = [0, 1, 2, 3, 4].map(
      (attempts) => nextStep({ ...interrupt, attempts }, { accepted: 5, cell: 5 }).signalChildren,
    );
    expect(signals.filter(Boolean)).toHaveLength(1);
  });
});

describe('the guard', () => {
  it('keeps terminations out of critical steps and critical steps out of terminations', () => {
    const main = new Channel(Side.Main);
    const transport = new Channel(Side.Transport, main.memory);
    main.critical(() => {
      main.critical(() => {});
      expect(transport.beginTermination(() => true)).toBe(false);
    });
    expect(transport.beginTermination(() => false)).toBe(false);
    expect(transport.beginTermination(() => true)).toBe(true);
    expect(transport.beginTermination(() => true)).toBe(false);
    transport.endTermination();
    expect(main.critical(() => 'done')).toBe('done');
  });
});

describe('output', () => {
  it('is written, committed and announced to the reader in one step', () => {
    const main = new Channel(Side.Main);
    const transport = new Channel(Side.Transport, main.memory);
    const steps: [string, boolean][] = [];
    // whether a termination could begin now, and cut off what comes next
    const note = (what: string) => void steps.push([what, transport.beginTermination(() => true)]);
    const wake = { postMessage: () => note('woken') } as unknown as MessagePort;
    const writer = new OutputWriter(main, wake, undefined);
    expect(transport.sleep()).toBe(true);
    const output = { type: 'stream', name: 'stdout', text: 'x' } as const;
    writer.send({ type: 'output', id: '1', output }, () => note('committed'));
    expect(steps).toEqual([
      ['committed', false],
      ['woken', false],
    ]);
    expect(transport.read()).toBeDefined();
  });
});

describe('requests', () => {
  it('arrive once and in order although the receiver fails at random before it accepts them', async () => {
    const main = new Channel(Side.Main);
    const transport = new Channel(Side.Transport, main.memory);
    const { port1, port2 } = new MessageChannel();
    const sender = new RequestSender(port2, transport);
    const received: string[] = [];
    let calls = 0;
    receiveRequests(port1, main, (request, _number, accept) => {
      // every third one is lost, as where the thread is terminated
      if (++calls % 3 === 0) return;
      received.push((request as Extract<HostRequest, { type: 'abandon' }>).id);
      main.critical(accept);
    });
    const ids = Array.from({ length: 40 }, (_, i) => `${i}`);
    const numbers = ids.map((id) => sender.send({ type: 'abandon', id }));
    expect(numbers).toEqual(ids.map((_, i) => i + 1));
    for (let i = 0; i < 200 && received.length < 40; i++) {
      sender.resend();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(received).toEqual(ids);
    port1.close();
  });
});
