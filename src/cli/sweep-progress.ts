import type { SweepEvent } from '../sweeps/executor.js';
import { terminalProgress } from './terminal-progress.js';

/** Progress of a sweep on the standard error: a heading for each part, and the progress of its flow below it. */
export function sweepProgress(): { onEvent: (event: SweepEvent) => void; stop: () => void } {
  const { onEvent, stop } = terminalProgress();
  return {
    onEvent(event) {
      if (event.type !== 'part') onEvent(event);
      else onEvent({ type: 'note', text: `[${event.number}/${event.total}] ${event.id}` });
    },
    stop,
  };
}
