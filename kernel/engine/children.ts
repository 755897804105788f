/**
 * Child processes belong to the cell that started them, as timers do: an interrupt ends them, and what is left of
 * an abandoned cell starts no other in their place.
 */
import { ChildProcess } from 'node:child_process';
import { type Cell, currentCell, refuseAbandoned } from './context.js';

const running = new Map<ChildProcess, Cell>();

/** Begins to take note of child processes. Once per process, before the first cell. */
export function installChildren(): void {
  const prototype = ChildProcess.prototype as unknown as { spawn(...args: unknown[]): unknown };
  const original = prototype.spawn;
  prototype.spawn = function (this: ChildProcess, ...args) {
    refuseAbandoned();
    const cell = currentCell();
    if (cell !== undefined) {
      running.set(this, cell);
      this.once('exit', () => running.delete(this));
    }
    return original.apply(this, args);
  };
}

/** Ends what a cell has started and what still runs. */
export function endChildren(cell: Cell): void {
  for (const [child, owner] of running) if (owner === cell) child.kill();
}
