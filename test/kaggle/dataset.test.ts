import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kaggleClient, type RunClient } from '../../src/kaggle/client.js';
import { configDefaults } from '../../src/kaggle/config.js';
import { pushDataset } from '../../src/kaggle/dataset.js';
import type { KaggleConfig } from '../../src/kaggle/types.js';
import { fakeAccount, temporaryFolder } from './account.js';

const config: KaggleConfig = {
  ...configDefaults,
  owner: 'someone',
  dataset: { slug: 'my-adapter', title: 'My adapter', license: 'MIT' },
};
const URL = 'https://www.kaggle.com/datasets/someone/my-adapter';

/** A checkpoint, as training leaves it. */
function checkpoint(): string {
  const folder = temporaryFolder();
  for (const name of ['adapter_config.json', 'adapter_model.safetensors', 'optimizer.safetensors'])
    writeFileSync(join(folder, name), name);
  return folder;
}

/** Uploads, and notes what the client finds in the folder that it is given. */
function recording(found: string[][]): RunClient {
  const run = kaggleClient();
  return (args) => {
    const at = args.indexOf('-p');
    if (at >= 0) found.push(readdirSync(args[at + 1]!).sort());
    return run(args);
  };
}

describe('a folder is uploaded', () => {
  it('as a new data set', async () => {
    const calls = fakeAccount();
    const folder = checkpoint();
    const found: string[][] = [];
    expect(await pushDataset(folder, recording(found), { config })).toEqual({
      id: 'someone/my-adapter',
      url: URL,
      isNew: true,
      leftOut: ['optimizer.safetensors'],
    });
    expect(found).toEqual([['adapter_config.json', 'adapter_model.safetensors', 'dataset-metadata.json']]);
    expect(calls().map(([group, action]) => `${group} ${action}`)).toEqual([
      'datasets status',
      'datasets create',
    ]);
    expect(readdirSync(folder)).toHaveLength(3);
  });

  it('as the next version of one, which its content names', async () => {
    const calls = fakeAccount({ datasets: { 'someone/my-adapter': 'ready' } });
    const folder = checkpoint();
    const versions: string[] = [];
    for (const text of ['a', 'b', 'a']) {
      writeFileSync(join(folder, 'adapter_model.safetensors'), text);
      expect(await pushDataset(folder, kaggleClient(), { config })).toMatchObject({ isNew: false, url: URL });
      versions.push(calls().at(-1)!.at(-1)!);
    }
    expect(versions[0]).toMatch(/^sha256 [0-9a-f]{12}$/);
    expect(versions[2]).toBe(versions[0]);
    expect(versions[1]).not.toBe(versions[0]);
    await pushDataset(folder, kaggleClient(), { config, notes: 'r128' });
    expect(calls().at(-1)!.slice(-2)).toEqual(['-m', 'r128']);
  });

  it('with folders in it, which the client would pass over', async () => {
    fakeAccount();
    const folder = checkpoint();
    mkdirSync(join(folder, 'runs'));
    expect(await pushDataset(folder, kaggleClient(), { config })).toMatchObject({ isNew: true });
  });

  it('with metadata of its own', async () => {
    fakeAccount();
    const folder = checkpoint();
    const metadata = { id: 'someone/arclab-node', title: 'arclab: Node.js', licenses: [{ name: 'MIT' }] };
    writeFileSync(join(folder, 'dataset-metadata.json'), JSON.stringify(metadata));
    expect(await pushDataset(folder, kaggleClient())).toMatchObject({ id: 'someone/arclab-node' });
  });
});

describe('an upload fails', () => {
  it.each<[string, object, string]>([
    [
      'when the server refuses it',
      { datasetError: 'Title is taken' },
      'upload of someone/my-adapter: Kaggle refused it: Title is taken',
    ],
    [
      'when a file is lost on the way, of which the client makes no error',
      { failedUploads: ['adapter_model.safetensors'] },
      'is being made without adapter_model.safetensors: upload it again',
    ],
  ])('%s', async (_, answers, message) => {
    fakeAccount(answers);
    await expect(pushDataset(checkpoint(), kaggleClient(), { config })).rejects.toThrow(message);
  });

  it('without metadata, an account, files or a folder', async () => {
    const calls = fakeAccount();
    const run = kaggleClient();
    await expect(pushDataset(checkpoint(), run)).rejects.toThrow(
      'expected a dataset-metadata.json, or "dataset":',
    );
    await expect(
      pushDataset(checkpoint(), run, { config: { ...config, owner: configDefaults.owner } }),
    ).rejects.toThrow('set "owner"');
    await expect(pushDataset(temporaryFolder(), run, { config })).rejects.toThrow('nothing to upload');
    await expect(pushDataset('/nowhere', run, { config })).rejects.toThrow('/nowhere: no such folder');
    const file = join(checkpoint(), 'adapter_config.json');
    await expect(pushDataset(file, run, { config })).rejects.toThrow('no such folder');
    expect(calls()).toEqual([]);
  });
});
