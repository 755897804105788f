import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  expectRefusal,
  flows,
  groupsKept,
  killUntilDone,
  makeMaterial,
  referenceOf,
  resultsOf,
  startFlow,
  stopAfter,
} from './kept-answers.js';

let folder = '';
beforeAll(() => {
  folder = makeMaterial();
  return () => rmSync(folder, { recursive: true });
});

describe.each(Object.keys(flows))('%s', (flow) => {
  let reference: Awaited<ReturnType<typeof referenceOf>>;
  beforeAll(async () => {
    reference = await referenceOf(flow, folder);
  });

  test('ends with the same bytes after many kills', { timeout: 600_000 }, async () => {
    let kills = 0;
    let continuations = 0;
    // the last kills of a round may come after its end
    for (let round = 0; kills < 10 && round < 5; round++) {
      const done = await killUntilDone(flow, folder, reference, { kills: 6, seed: Date.now() });
      kills += done.killed;
      continuations += done.continued;
    }
    expect(kills).toBeGreaterThanOrEqual(10);
    expect(continuations).toBeGreaterThan(2);
  });

  test('a second one into the same file is refused in one line', async () => {
    await expectRefusal(flow, folder);
  });

  test('stopped by Ctrl-C it exits with 130 and ends with the same bytes', async () => {
    const out = join(folder, `${flow}-interrupted`);
    const { code, stderr } = await stopAfter(2, 'SIGINT', flow, folder, out);
    expect(code).toBe(130);
    expect(stderr).toMatch(/are kept, and the same command continues\n$/);
    expect((await startFlow(flow, folder, out).ended).code).toBe(0);
    expect(resultsOf(out)).toEqual(reference.results);
  });

  test('with a file size limit, as on a full disk, it keeps what fits and continues when there is room', async () => {
    const out = join(folder, `${flow}-full`);
    // blocks of 512 bytes
    const { code, stderr } = await startFlow(flow, folder, out, [], { shell: 'ulimit -f 6' }).ended;
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /result\.json\.partial: cannot write: .*the same command continues when there is room\n$/,
    );
    expect(groupsKept(out)).toBeGreaterThan(0);
    const again = await startFlow(flow, folder, out).ended;
    expect(again.stderr).toMatch(/^continuing: /m);
    expect(resultsOf(out)).toEqual(reference.results);
  });
});
