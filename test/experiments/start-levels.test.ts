/** The tasks of the demonstration. */
import { expect, test } from 'vitest';
import { tasksInCommon } from '../../src/arc/overlap.js';
import { makeTasks, startLevels } from '../../src/experiments/start-levels.js';

/** How many tasks there are of each rule. */
function countByRule(ids: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of ids) {
    const rule = id.replace(/-\d+$/, '');
    counts[rule] = (counts[rule] ?? 0) + 1;
  }
  return counts;
}

test.each(['standard', 'hard'] as const)('of the level %s, to learn from and to be measured on', (name) => {
  const level = startLevels[name];
  const { train, val } = makeTasks(level, { trainTasks: 400, valTasks: 16, seed: 3 });
  expect(tasksInCommon(train, [val])).toEqual([]);
  // measured on all rules alike
  const measured = countByRule(val.keys());
  expect(Object.keys(measured).sort()).toEqual([...level.generators].sort());
  expect(new Set(Object.values(measured)).size).toBe(1);
  // a few tasks are left out because they are like those that are measured on
  const learned = countByRule(train.keys());
  const rules = level.generators.length;
  for (const rule of level.generators) {
    const share = !level.hardest ? 1 / rules : rule === level.hardest ? 1 / 2 : 1 / (2 * (rules - 1));
    expect(learned[rule]).toBeGreaterThan(0.85 * 400 * share);
    expect(learned[rule]).toBeLessThanOrEqual(Math.ceil(400 * share));
  }
});

test('one task to learn from is enough to run', () => {
  const { train } = makeTasks(startLevels.standard, { trainTasks: 1, valTasks: 4, seed: 3 });
  expect(train.size).toBe(1);
});
