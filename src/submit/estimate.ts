/** @file How far a submission is, and how far it will come at the speed so far. */
import type { Plan } from './plan.js';
import type { State } from './state.js';

/**
 * What is done and what fits into so many seconds: a prediction is taken to cost as much as its prompt is long, and how
 * long that takes is measured.
 */
export function estimate(state: State, { inputs }: Pick<Plan, 'inputs'>, now: number, secondsLeft: number) {
  const { queue, workers, total, done, doneCost, predictingSince } = state;
  const perCost = (now - predictingSince) / doneCost;
  const running = workers.map(({ process }) => {
    if (process?.activity.type === 'predict') return process.activity.left;
    return process && 'chunk' in process.activity ? process.activity.chunk.items : [];
  });
  let fitting = done;
  let secondsNeeded = 0;
  for (const items of [...running, ...queue.map(({ items }) => items)]) {
    for (const { cost } of items) {
      secondsNeeded += cost * perCost;
      if (secondsNeeded <= secondsLeft) fitting += 1;
    }
  }
  return { done, total, perInput: fitting / inputs, secondsLeft, secondsNeeded };
}
