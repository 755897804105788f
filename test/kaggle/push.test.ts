import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kaggleClient } from '../../src/kaggle/client.js';
import { configDefaults } from '../../src/kaggle/config.js';
import { pushNotebook } from '../../src/kaggle/push.js';
import { fakeAccount, smallBuild } from './account.js';

describe('push', () => {
  it('tells the version that Kaggle has made', async () => {
    const calls = fakeAccount({ push: { version: 7 } });
    const folder = smallBuild();
    const said: string[] = [];
    const pushed = await pushNotebook(
      folder,
      kaggleClient((text) => said.push(text)),
    );
    expect(pushed).toEqual({ version: 7, url: 'https://www.kaggle.com/code/someone/arclab-submission' });
    expect(calls()).toEqual([['kernels', 'push', '-p', folder]]);
    expect(JSON.parse(readFileSync(join(folder, 'kaggle-push.json'), 'utf8'))).toEqual(pushed);
    expect(said.join('')).toContain('Kernel version 7 successfully pushed.');
  });

  it('takes an answer without a version', async () => {
    fakeAccount({ push: { version: null } });
    const pushed = await pushNotebook(smallBuild(), kaggleClient());
    expect(pushed).toEqual({ url: 'https://www.kaggle.com/code/someone/arclab-submission' });
  });

  it.each<[string, object, string]>([
    [
      'is refused',
      { push: { error: 'Maximum weekly GPU quota of 30.00 hours reached.' } },
      'push: Kaggle refused the notebook: Maximum weekly GPU quota of 30.00 hours reached.',
    ],
    [
      'lost a data set',
      { push: { version: 3, invalidDatasets: ['someone/adapter'] } },
      "runs as version 3, but without dataset sources ['someone/adapter']: correct the names",
    ],
  ])('fails when it %s, though the client does not', async (_, answers, message) => {
    fakeAccount(answers);
    await expect(pushNotebook(smallBuild(), kaggleClient())).rejects.toThrow(message);
  });

  it("fails with the client's error", async () => {
    await expect(
      pushNotebook(smallBuild(), async () => ({
        code: 1,
        output: 'Traceback\nValueError: Invalid folder: x\n',
      })),
    ).rejects.toThrow("push: Kaggle's client ended with exit code 1: ValueError: Invalid folder: x");
  });

  it('fails when nothing is said', async () => {
    await expect(pushNotebook(smallBuild(), async () => ({ code: 0, output: '' }))).rejects.toThrow(
      "push: Kaggle's client does not say that it pushed the notebook: it printed nothing",
    );
  });

  it('asks for an account first', async () => {
    const calls = fakeAccount();
    await expect(pushNotebook(smallBuild({ owner: configDefaults.owner }), kaggleClient())).rejects.toThrow(
      'set "owner" to your name on Kaggle',
    );
    expect(calls()).toEqual([]);
  });

  it("says how to get Kaggle's client", async () => {
    const { PATH } = process.env;
    process.env.PATH = '/nowhere';
    await expect(
      pushNotebook(smallBuild(), kaggleClient()).finally(() => {
        process.env.PATH = PATH;
      }),
    ).rejects.toThrow(/does not run \(ENOENT\): pip install kaggle/);
  });
});
