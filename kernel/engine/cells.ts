/**
 * Which cell runs, which wait for it, and which have ended: the only place with this state.
 *
 * `advance` decides and `CellLoop` acts. A cell may be ended by its code, by `process.exit` in it and by an interrupt;
 * the first to come ends it, the others find that it is over. An interrupt may terminate this thread between any two
 * steps, so the new state comes into being in the very step in which the cell's `done` is on its way: what is
 * terminated before that has done nothing, and the interrupt itself, which is repeated until it is heard, ends the cell.
 */
import type { CellOutcome, CellRequest, FromEngine } from '../contract.js';
import type { LiveCell } from './context.js';

/** A cell from its request to its `done`, and afterwards for what it has left behind. */
export interface CellJob extends LiveCell {
  /** The number of its request, 1 or more. */
  readonly number: number;
  readonly request: CellRequest;
}

export interface CellsState {
  /** At most one of each lane, in the order in which they began. */
  readonly running: readonly CellJob[];
  readonly waiting: readonly CellJob[];
}

export type CellsEvent =
  | { type: 'request'; job: CellJob }
  | { type: 'end'; job: CellJob; outcome: CellOutcome };

/** The state after an event, and what is to be done: `done` is said with the new state, `begin` is run after it. */
export interface CellsStep {
  state: CellsState;
  done: Extract<FromEngine, { type: 'done' }> | undefined;
  begin: CellJob | undefined;
}

export const NO_CELLS: CellsState = { running: [], waiting: [] };

/** What an event makes of the cells. */
export function advance(state: CellsState, event: CellsEvent): CellsStep {
  const { running, waiting } = state;
  const { job } = event;
  const isOfLane = ({ request }: CellJob) => (request.lane ?? '') === (job.request.lane ?? '');
  if (event.type === 'request') {
    if (running.some(isOfLane)) {
      return { state: { running, waiting: [...waiting, job] }, done: undefined, begin: undefined };
    }
    return { state: { running: [...running, job], waiting }, done: undefined, begin: job };
  }
  // over already, or not begun
  if (!running.includes(job)) return { state, done: undefined, begin: undefined };
  const begin = waiting.find(isOfLane);
  const left = running.filter((one) => one !== job);
  const done = { type: 'done' as const, id: job.id, outcome: event.outcome };
  return {
    state: {
      running: begin === undefined ? left : [...left, begin],
      waiting: waiting.filter((one) => one !== begin),
    },
    done,
    begin,
  };
}

/** The cell that an interrupt stops: that of the main lane, or else the one that has run for longest. */
function interruptible({ running }: CellsState): CellJob | undefined {
  return running.find(({ request }) => !request.lane) ?? running[0];
}

/** What the loop needs of the kernel around it. */
export interface CellLoopParts {
  /** Does something whole, so that no interrupt can cut it off. */
  critical<T>(action: () => T): T;
  /** Sends a message and does `commit` with it: both happen or none. */
  send(message: FromEngine, commit: () => void): void;
  /** Tells the number of the cell that an interrupt stops from now on, 0 for none; called in critical steps. */
  showRunning(number: number): void;
  /** Begins to run a cell, which is to be told to `end` when it has ended. */
  begin(job: CellJob): void;
}

/** Keeps the state and does what its changes ask for. */
export class CellLoop {
  readonly #parts: CellLoopParts;
  #state = NO_CELLS;

  constructor(parts: CellLoopParts) {
    this.#parts = parts;
  }

  /** The cells that run, one of each lane at most. */
  get running(): readonly CellJob[] {
    return this.#state.running;
  }

  /** Runs a cell after those that were asked for before; `alongside` happens in the step that makes it known. */
  request(job: CellJob, alongside: () => void): void {
    this.#apply({ type: 'request', job }, alongside);
  }

  /** Ends a cell, if it is not over; `alongside` happens in the same step. */
  end(job: CellJob, outcome: CellOutcome, alongside = () => {}): void {
    this.#apply({ type: 'end', job, outcome }, alongside);
  }

  #apply(event: CellsEvent, alongside: () => void): void {
    const { state, done, begin } = advance(this.#state, event);
    const commit = () => {
      this.#state = state;
      this.#parts.showRunning(interruptible(state)?.number ?? 0);
      alongside();
    };
    if (done === undefined) this.#parts.critical(commit);
    else this.#parts.send(done, commit);
    if (begin !== undefined) this.#parts.begin(begin);
  }
}
