/**
 * Child processes belong to the cell that started them, as timers do: an interrupt ends them, and what is left of
 * an abandoned cell starts no other in their place.
 */
import { ChildProcess } from 'node:child_process';
import { endProcessTree } from '../host/process-tree.js';
import { currentCell, type LiveCell, refuseAbandoned } from './context.js';

const running = new Map<ChildProcess, LiveCell>();

/** Begins to take note of child processes. Once per process, before the first cell. */
export function installChildren(): void {
  const prototype = ChildProcess.prototype as unknown as { spawn(options: { detached?: boolean }): unknown };
  const original = prototype.spawn;
  prototype.spawn = function (this: ChildProcess, options) {
    refuseAbandoned();
    const result = original.call(this, options);
    const cell = currentCell();
    // one that could not be started has no id, and a detached one is to outlive what happens here
    if (cell !== undefined && this.pid !== undefined && !options.detached) {
      running.set(this, cell);
      this.once('exit', () => running.delete(this));
    }
    return result;
  };
}

/** Ends what a cell has started and what still runs; also what these have started, as a shell does. */
export function endChildren(cell: LiveCell): void {
  for (const [child, owner] of running) if (owner === cell) end(child);
}

/** Ends what all cells have started: the session is over. */
export function endAllChildren(): void {
  for (const child of running.keys()) end(child);
}

function end(child: ChildProcess): void {
  if (child.pid !== undefined) endProcessTree(child.pid, 'SIGTERM');
}
