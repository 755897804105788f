/** @file The fine-tuning on tasks, each before it is predicted, by the process that predicts it. */
import type { Chunk } from './plan.js';
import { measure, tuningLimit, worthOf } from './schedule.js';
import { assign, fail, processOf, setGroup, setProcess, type Turn } from './turn.js';

/** Has a process learn the task of a chunk, within the time that it gets. */
export function adapt(turn: Turn, worker: number, chunk: Chunk): void {
  const taskId = chunk.taskId!;
  const seconds = secondsFor(turn, chunk);
  const until = turn.now + seconds + turn.policy.tuningGrace;
  const keep = turn.queue.some((other) => other.taskId === taskId);
  setProcess(turn, worker, { activity: { type: 'adapt', chunk, since: turn.now, until }, heard: turn.now });
  assign(turn, processOf(turn, worker).id, { type: 'adapt', taskId, seconds, keep });
}

function secondsFor(turn: Turn, chunk: Chunk): number {
  const { policy, queue, workers } = turn;
  if (turn.groups[chunk.group]!.unadapted.includes(chunk.taskId!)) return 0;
  return tuningLimit(turn, chunk, queue, {
    ...policy,
    seconds: policy.deadline - turn.now,
    processes: workers.filter(({ deaths }) => deaths < policy.maxProcessFailures).length,
  });
}

/** A task that cannot be learnt is predicted with the model as it was. */
export function adaptFailed(turn: Turn, { group, taskId }: Chunk, message: string): void {
  fail(turn, { stage: 'fine-tune', message: `task ${taskId} is predicted without: ${message}` });
  setGroup(turn, group, { unadapted: [...turn.groups[group]!.unadapted, taskId!] });
}

/** Takes note of how long work on one task took; what is predicted of the speed follows where a part of it was done. */
export function measureWork(
  turn: Turn,
  chunk: Chunk,
  { since, kind, part }: { since: number; kind: 'tune' | 'predict'; part: number },
): void {
  const { taskId } = chunk;
  if (taskId === undefined) return;
  const seconds = turn.now - since;
  turn.spent = { ...turn.spent, [taskId]: (turn.spent[taskId] ?? 0) + seconds };
  if (part > 0) turn.measured = measure(turn, kind, chunk, part, seconds);
}

/** What chunks of later turns are worth, where each is about one task; tasks that have had their time come last. */
export function worthFor(turn: Turn): ((chunk: Chunk) => number) | undefined {
  if (turn.queue[0]?.taskId === undefined) return undefined;
  return (chunk) => {
    const hasHadItsTime = (turn.spent[chunk.taskId!] ?? 0) >= turn.policy.taskTimeLimit;
    return hasHadItsTime ? -chunk.turn : worthOf(turn, chunk);
  };
}
