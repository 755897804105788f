import { createHash } from 'node:crypto';
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { UserError } from '../../src/common/errors.js';
import { downloadNotes } from '../../src/models/download.js';
import { resolveModel } from '../../src/models/hub.js';
import { type HubSettings, hubSettings, ModelCache } from '../../src/models/hub-cache.js';
import { temporaryFolder } from '../training/temporary.js';

const commit = '0123456789abcdef0123456789abcdef01234567';
const weights = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3));
const files: Record<string, Buffer> = {
  'config.json': Buffer.from('{"model_type": "qwen2"}'),
  'tokenizer.json': Buffer.from('{}'),
  'model.safetensors': weights,
  'README.md': Buffer.from('not needed'),
  'pytorch_model.bin': Buffer.from('not needed'),
  'onnx/model.onnx': Buffer.from('not needed'),
};

/** What the server was asked for, and how it misbehaves. */
let requests: { url: string; range: string | undefined; token: string | undefined }[] = [];
let cutAfter: number[] = [];
let corrupt = false;
let ignoreRange = false;
let server: Server;
let endpoint: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const { url = '', headers } = request;
    requests.push({ url, range: headers.range, token: headers.authorization });
    const listing = /^\/api\/models\/(.+)\/revision\/main\?blobs=true$/.exec(url);
    if (listing) {
      const [, id] = listing;
      if (id === 'org/gated' && headers.authorization !== 'Bearer secret')
        return response.writeHead(403).end();
      if (id === 'org/none') return response.writeHead(404).end();
      const names = id === 'org/old' ? ['config.json', 'pytorch_model.bin'] : Object.keys(files);
      const siblings = names.map((name) => {
        const body = files[name]!;
        const sha1 = createHash('sha1').update(`blob ${body.length}\0`).update(body).digest('hex');
        const sha256 = createHash('sha256').update(body).digest('hex');
        const lfs = name === 'model.safetensors' ? { lfs: { sha256, size: body.length } } : {};
        return { rfilename: name, size: body.length, blobId: sha1, ...lfs };
      });
      return response.end(JSON.stringify({ sha: commit, siblings }));
    }
    const name = decodeURIComponent(url.split(`/resolve/${commit}/`)[1] ?? '');
    let body = files[name];
    if (!body) return response.writeHead(404).end();
    if (corrupt && name === 'model.safetensors') body = Buffer.from(body).fill(0, 1000, 1010);
    const start = ignoreRange ? 0 : Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
    const rest = body.subarray(start);
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': rest.length });
    const cut = name === 'model.safetensors' ? cutAfter.shift() : undefined;
    if (cut === undefined) return response.end(rest);
    // the connection breaks in the middle of the file
    return response.write(rest.subarray(0, cut), () => setTimeout(() => response.destroy(), 20));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

let settings: HubSettings;
beforeEach(() => {
  requests = [];
  cutAfter = [];
  corrupt = false;
  ignoreRange = false;
  const cache = temporaryFolder();
  settings = { endpoint, cache, offline: false, token: undefined };
});

const weightRanges = () =>
  requests.filter(({ url }) => url.endsWith('model.safetensors')).map(({ range }) => range);

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).not.toContain('\n');
  return error.message;
}

it('downloads only what is needed, and nothing the second time', async () => {
  const seen: number[] = [];
  const folder = await resolveModel('org/model', {
    settings,
    onProgress: ({ file, received, total }) => {
      if (file === 'model.safetensors') seen.push(received / total!);
    },
  });
  expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
  expect(existsSync(join(folder, 'tokenizer.json'))).toBe(true);
  expect(requests.some(({ url }) => /README|pytorch|onnx/.test(url))).toBe(false);
  expect(seen.at(-1)).toBe(1);
  expect(readFileSync(join(settings.cache, 'models--org--model', 'refs', 'main'), 'utf8')).toBe(commit);

  requests = [];
  expect(await resolveModel('org/model', { settings })).toBe(folder);
  expect(await resolveModel('org/model', { settings: { ...settings, offline: true } })).toBe(folder);
  expect(requests).toEqual([]);
});

it('resumes where a broken connection stopped', async () => {
  cutAfter = [100_000, 50_000];
  const folder = await resolveModel('org/model', { settings });
  const ranges = weightRanges();
  expect(ranges.length).toBe(3);
  expect(ranges[0]).toBeUndefined();
  const starts = ranges.slice(1).map((range) => Number(/bytes=(\d+)-/.exec(range!)![1]));
  expect(starts[0]).toBeGreaterThan(0);
  expect(starts[1]).toBeGreaterThan(starts[0]!);
  expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
});

it('continues what an earlier process left, even when the server ignores ranges', async () => {
  for (const ignores of [false, true]) {
    ignoreRange = ignores;
    requests = [];
    const cache = temporaryFolder();
    const hash = createHash('sha256').update(weights).digest('hex');
    await resolveModel('org/model', { settings: { ...settings, cache } });
    const blob = new ModelCache(cache, 'org/model').blob(hash);
    writeFileSync(`${blob}.incomplete`, weights);
    truncateSync(`${blob}.incomplete`, 123_456);
    truncateSync(blob, 0);
    const { rmSync } = await import('node:fs');
    rmSync(blob);
    requests = [];
    const folder = await resolveModel('org/model', { settings: { ...settings, cache } });
    expect(weightRanges()).toEqual(['bytes=123456-']);
    expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
  }
});

it('refuses a damaged file and removes it, so that the next try works', async () => {
  corrupt = true;
  expect(await refusal(resolveModel('org/model', { settings }))).toMatch(/model\.safetensors.*damaged/);
  corrupt = false;
  const folder = await resolveModel('org/model', { settings });
  expect(readFileSync(join(folder, 'model.safetensors')).equals(weights)).toBe(true);
});

it('sends the token, and says what to do without one', async () => {
  expect(await refusal(resolveModel('org/gated', { settings }))).toMatch(/403.*HF_TOKEN/);
  await resolveModel('org/gated', { settings: { ...settings, token: 'secret' } });
  expect(requests.at(-1)!.token).toBe('Bearer secret');
});

it('says in one line what cannot be had', async () => {
  expect(await refusal(resolveModel('org/none', { settings }))).toMatch(/org\/none.*404/);
  expect(await refusal(resolveModel('org/old', { settings }))).toMatch(/no safetensors.*pytorch_model\.bin/);
  expect(await refusal(resolveModel('./no/such/folder', { settings }))).toMatch(/no such folder/);
  expect(await refusal(resolveModel('nothing', { settings }))).toMatch(/nothing: no such folder.*hub id/);
  const offline = resolveModel('org/model', { settings: { ...settings, offline: true } });
  expect(await refusal(offline)).toMatch(/org\/model is neither a folder nor in the cache.*HF_HUB_OFFLINE/);
  // a port that nobody listens on
  const unreachable = resolveModel('Qwen/Qwen2-0.5B', {
    settings: { ...settings, endpoint: 'http://127.0.0.1:9' },
  });
  expect(await refusal(unreachable)).toMatch(
    /^Qwen\/Qwen2-0\.5B is neither a folder nor in the cache and the hub cannot be reached: http:\/\/127\.0\.0\.1:9: ./,
  );
});

it('a cache that cannot be written is not blamed on the network', async () => {
  const cache = join(settings.cache, 'file');
  writeFileSync(cache, '');
  const message = await refusal(resolveModel('org/model', { settings: { ...settings, cache } }));
  expect(message).toMatch(/cannot be written there \(.*file\): ENOTDIR/);
});

it('tells of a large download once for each tenth, and of a small one not at all', () => {
  const lines: string[] = [];
  const onProgress = downloadNotes((text) => lines.push(text));
  onProgress({ file: 'config.json', received: 500, total: 500 });
  for (let received = 0; received <= 2e9; received += 1e7) {
    onProgress({ file: 'model.safetensors', received, total: 2e9 });
  }
  expect(lines).toHaveLength(11);
  expect(lines[3]).toBe('downloading model.safetensors: 30 % of 2000 MB');
});

it('reads the settings that huggingface_hub reads', () => {
  expect(
    hubSettings({ HF_HOME: '/h', HF_ENDPOINT: 'http://mirror/', HF_TOKEN: 't', HF_HUB_OFFLINE: '1' }),
  ).toEqual({
    endpoint: 'http://mirror',
    cache: '/h/hub',
    offline: true,
    token: 't',
  });
  expect(hubSettings({ HF_HUB_CACHE: '/c', HF_HOME: '/h' })).toMatchObject({ cache: '/c', offline: false });
  expect(hubSettings({ XDG_CACHE_HOME: '/x' }).cache).toBe('/x/huggingface/hub');
});
