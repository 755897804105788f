/** @file The fine-tuning of groups: one process for each slot at a time, each ended with its group. */
import type { Worker } from './state.js';
import { setGroup, start, type Turn } from './turn.js';

/** Starts a process for each group that waits for its fine-tuning; when all have had theirs, predictions begin. */
export function startTuning(turn: Turn): void {
  if (turn.groups.every(({ tuning }) => tuning === 'done')) {
    turn.phase = 'predict';
    turn.predictingSince = turn.now;
    turn.workers = turn.workers.map((worker) => ({ ...worker, deaths: 0 }));
    return;
  }
  const seconds = turn.tuningShare;
  const limit = seconds + turn.policy.tuningGrace;
  // a slot in which a process could not even begin takes no group away from the others
  const isSound = ({ deaths }: Worker) => deaths === 0;
  const usable = turn.workers.some(isSound) ? isSound : () => true;
  for (const [place, worker] of turn.workers.entries()) {
    const group = turn.groups.findIndex(({ tuning }) => tuning === 'waiting');
    if (group < 0) return;
    if (worker.process !== null || !usable(worker)) continue;
    setGroup(turn, group, { tuning: 'running' });
    start(turn, place, { group, seconds, limit, until: turn.now + limit });
  }
}

export function tuningFailed(turn: Turn, group: number, message: string): void {
  turn.actions.push({ type: 'fail', failure: { stage: 'fine-tune', message } });
  turn.actions.push({ type: 'note', text: `fine-tuning failed: ${message}` });
  turn.actions.push({ type: 'find-checkpoint', group });
}

/** A group has its adapter, or the newest checkpoint of it, or goes on with those that it had. */
export function tuned(turn: Turn, group: number, adapter: string | null): void {
  const { adapters, tuning } = turn.groups[group]!;
  if (tuning !== 'running') return;
  turn.actions.push({ type: 'tuned', group, adapter });
  setGroup(turn, group, {
    tuning: 'done',
    adapters: adapter === null ? adapters : [adapter, ...adapters],
  });
}
