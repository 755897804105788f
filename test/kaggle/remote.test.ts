import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kaggleClient } from '../../src/kaggle/client.js';
import {
  kernelId,
  kernelStatus,
  pullOutput,
  submissions,
  submitNotebook,
  waitFor,
} from '../../src/kaggle/remote.js';
import { fakeAccount, smallBuild, temporaryFolder } from './account.js';

const run = kaggleClient();
const KERNEL = 'someone/arclab-submission';

describe('the state of a notebook', () => {
  it.each([
    [{ status: 'KernelWorkerStatus.COMPLETE' }, { status: 'complete', isRunning: false }],
    [{ status: 'running' }, { status: 'running', isRunning: true }],
    [{ status: 'KernelWorkerStatus.QUEUED' }, { status: 'queued', isRunning: true }],
    [
      { status: 'error', message: 'Your notebook ran out of memory' },
      { status: 'error', isRunning: false, failure: 'Your notebook ran out of memory' },
    ],
    [
      { status: 'KernelWorkerStatus.CANCEL_ACKNOWLEDGED' },
      { status: 'cancel_acknowledged', isRunning: false },
    ],
  ])('%j', async (answer, expected) => {
    fakeAccount({ status: [answer] });
    expect(await kernelStatus(KERNEL, run)).toEqual(expected);
  });

  it('is waited for', async () => {
    const calls = fakeAccount({
      status: [{ status: 'queued' }, { status: 'running' }, { status: 'complete' }],
    });
    const slept: number[] = [];
    expect(
      await waitFor(KERNEL, run, async (seconds) => {
        slept.push(seconds);
      }),
    ).toEqual({ status: 'complete', isRunning: false });
    expect(slept).toEqual([30, 30]);
    expect(calls()).toHaveLength(3);
  });

  it('is not known of a notebook that is not there', async () => {
    fakeAccount();
    await expect(kernelStatus('someone/other', run)).rejects.toThrow(
      /^status of someone\/other: .*exit code 1: ValueError: Cannot access kernel 'someone\/other'/,
    );
    expect(() => kernelId('/etc/passwd')).toThrow();
    expect(() => kernelId('nothing')).toThrow('expected a folder made by arclab kaggle build, or owner/slug');
    expect(kernelId(KERNEL)).toBe(KERNEL);
    expect(kernelId(smallBuild())).toBe(KERNEL);
  });
});

describe('the files of a notebook', () => {
  it('are fetched', async () => {
    fakeAccount({ output: { 'submission.json': '{}', 'fine-tune/cfg.json': '1' } });
    const folder = temporaryFolder();
    expect(await pullOutput(KERNEL, folder, run)).toEqual([
      join(folder, 'submission.json'),
      join(folder, 'fine-tune/cfg.json'),
    ]);
    expect(readFileSync(join(folder, 'submission.json'), 'utf8')).toBe('{}');
  });

  it('are missed', async () => {
    fakeAccount();
    await expect(pullOutput(KERNEL, temporaryFolder(), run)).rejects.toThrow(
      'Kaggle has none of its last version',
    );
  });
});

describe('a submission', () => {
  const complete = { status: [{ status: 'complete' }] };
  const pushed = (folder: string, value: object = { version: 4, url: 'u' }) => {
    writeFileSync(join(folder, 'kaggle-push.json'), JSON.stringify(value));
    return folder;
  };

  it('is of the version that was pushed', async () => {
    const calls = fakeAccount({ ...complete, submit: { remaining: 0 } });
    const folder = pushed(smallBuild());
    expect(await submitNotebook(folder, run)).toBe('0 submissions remaining today.\nSuccessfully submitted');
    expect(calls().at(-1)).toEqual([
      ...['competitions', 'submit', 'arc-prize-2025', '-f', 'submission.json', '-k', KERNEL, '-v', '4'],
      ...['-m', 'arclab submission, version 4'],
    ]);
  });

  it('may be of another', async () => {
    const calls = fakeAccount(complete);
    await submitNotebook(pushed(smallBuild()), run, { version: 2, message: 'again' });
    expect(calls().at(-1)!.slice(-4)).toEqual(['-v', '2', '-m', 'again']);
  });

  it.each<[string, object, object | undefined, string]>([
    [
      'was never pushed',
      complete,
      undefined,
      'not pushed from here: arclab kaggle push, or --kernel-version <n>',
    ],
    ['was pushed without a number', complete, { url: 'u' }, 'not pushed from here'],
    [
      'still runs',
      { status: [{ status: 'running' }] },
      { version: 1, url: 'u' },
      'is running: submit it when it has ended',
    ],
    [
      'has failed',
      { status: [{ status: 'error', message: 'out of memory' }] },
      { version: 1, url: 'u' },
      'has ended with status error: out of memory: its log says why (arclab kaggle pull)',
    ],
    [
      'is for a competition that has ended, of which the client makes no error',
      { ...complete, submit: { notFound: true } },
      { version: 1, url: 'u' },
      'submission to arc-prize-2025: Could not find competition',
    ],
    [
      'is one too many today',
      { ...complete, submit: { refused: 'Bad Request: submission limit' } },
      { version: 1, url: 'u' },
      'exit code 1: requests.exceptions.HTTPError: 400 Client Error: Bad Request: submission limit',
    ],
  ])('is refused when it %s', async (_, answers, push, message) => {
    fakeAccount(answers);
    const folder = push === undefined ? smallBuild() : pushed(smallBuild(), push);
    await expect(submitNotebook(folder, run)).rejects.toThrow(message);
  });

  it('is listed with its score', async () => {
    fakeAccount({ submissions: ['submission.json  2026-11-01  first  complete  12.5'] });
    expect((await submissions('arc-prize-2025', run)).split('\n').at(-1)).toContain('12.5');
  });
});
