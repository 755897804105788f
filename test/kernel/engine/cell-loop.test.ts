import fc from 'fast-check';
import { expect, it } from 'vitest';
import { advance, type CellJob, CellLoop, type CellsEvent, NO_CELLS } from '../../../kernel/engine/cells.js';

function jobOf(number: number, lane?: string): CellJob {
  const name = `cell-${number}.ts`;
  return { id: String(number), number, name, request: { code: '', name, lane }, abandoned: false };
}

const ok = { status: 'ok' } as const;

/** Requests of cells 1 to n in order, and ends of any cell at any time, often of one that is over or has not begun. */
const events = fc
  .array(fc.oneof(fc.constant('request' as const), fc.nat({ max: 12 })), { maxLength: 60 })
  .map((choices) => {
    const jobs = Array.from({ length: 13 }, (_, i) => jobOf(i + 1));
    let asked = 0;
    return choices.flatMap((choice): CellsEvent[] => {
      if (choice !== 'request') return [{ type: 'end', job: jobs[choice]!, outcome: ok }];
      return asked < jobs.length ? [{ type: 'request', job: jobs[asked++]! }] : [];
    });
  });

it('every cell begins once, in order, and is done once, and only one runs at a time', () => {
  fc.assert(
    fc.property(events, (list) => {
      let state = NO_CELLS;
      const log: string[] = [];
      for (const event of list) {
        const step = advance(state, event);
        state = step.state;
        if (step.done !== undefined) log.push(`done ${step.done.id}`);
        if (step.begin !== undefined) log.push(`begin ${step.begin.id}`);
      }
      const expected = Array.from({ length: Math.ceil(log.length / 2) }, (_, i) => [
        `begin ${i + 1}`,
        `done ${i + 1}`,
      ]).flat();
      expect(log).toEqual(expected.slice(0, log.length));
      const asked = list.filter(({ type }) => type === 'request').length;
      const known = log.filter((line) => line.startsWith('done')).length + state.waiting.length;
      expect(known + state.running.length).toBe(asked);
    }),
  );
});

it('lanes know nothing of each other', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom('', 'a', 'b')),
      events,
      fc.infiniteStream(fc.nat()),
      (names, list, dice) => {
        // the same events in each lane, mixed in any way
        const queues = names.map((lane, k) => {
          const jobs = new Map(list.map(({ job }) => [job, jobOf(job.number + 100 * k, lane)]));
          return list.map((event): CellsEvent => ({ ...event, job: jobs.get(event.job)! }));
        });
        const steps = (mixed: CellsEvent[]) => {
          const log: string[] = [];
          let state = NO_CELLS;
          for (const event of mixed) {
            const step = advance(state, event);
            state = step.state;
            if (step.done !== undefined) log.push(`done ${step.done.id}`);
            if (step.begin !== undefined) log.push(`begin ${step.begin.id}`);
          }
          return log;
        };
        const alone = queues.map(steps);
        const left = queues.map((queue) => [...queue]);
        const mixed: CellsEvent[] = [];
        while (left.some(({ length }) => length > 0)) {
          const open = left.filter(({ length }) => length > 0);
          mixed.push(open[dice.next().value % open.length]!.shift()!);
        }
        const log = steps(mixed);
        for (const [k, own] of alone.entries()) {
          const isOwn = (line: string) => Math.floor(Number(line.split(' ')[1]) / 100) === k;
          expect(log.filter(isOwn)).toEqual(own);
        }
      },
    ),
  );
});

/** What terminates a thread cannot be caught; this stands for it. */
class Terminated extends Error {}

it('a cell is done once, although the loop is terminated at any step and asked to end it again', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 20 }), (terminations) => {
      const left = [...terminations];
      const mayTerminate = () => {
        if (left.shift()) throw new Terminated();
      };
      const done: string[] = [];
      let shown = 0;
      const loop = new CellLoop({
        critical: (action) => {
          mayTerminate();
          return action();
        },
        // parts of a long message may be written in vain; the last of them and the commit are one step
        send: (message, commit) => {
          mayTerminate();
          mayTerminate();
          done.push(message.id);
          commit();
        },
        showRunning: (number) => {
          shown = number;
        },
        begin: () => mayTerminate(),
      });
      const untilHeard = (action: (accept: () => void) => void) => {
        for (let isHeard = false; !isHeard; ) {
          try {
            action(() => {
              isHeard = true;
            });
          } catch (error) {
            if (!(error instanceof Terminated)) throw error;
          }
        }
      };
      const jobs = [1, 2, 3].map((number) => jobOf(number));
      for (const job of jobs) untilHeard((accept) => loop.request(job, accept));
      for (const job of jobs) {
        expect([loop.running, shown]).toEqual([[job], job.number]);
        untilHeard((accept) => loop.end(job, ok, accept));
      }
      expect([done, loop.running, shown]).toEqual([['1', '2', '3'], [], 0]);
    }),
  );
});
