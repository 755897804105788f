import { expect, test } from 'vitest';
import { submitHandlers } from '../../src/submit/worker.js';

test.each<[object, string]>([
  [{ minp: 0.1 }, '`minp`: there is no such option here; did you mean `minP`?'],
  [{ temperature: 'hot' }, '`temperature`: expected a number of at least 0, found "hot"'],
])('a process of a submission refuses %j before it reads a file', async (wrong, message) => {
  const config = { challengesPath: 'none.json', modelPath: 'none', ...wrong };
  const request = { type: 'open', config } as unknown as Parameters<
    ReturnType<typeof submitHandlers>['open']
  >[0];
  await expect(submitHandlers().open(request, () => {})).rejects.toThrow(message);
});
