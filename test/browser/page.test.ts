/** `arclab/browser`: nothing of it needs Node, its types say so, and a page computes what Node computes. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import * as arclab from '../../src/browser.js';
import { packageRoot } from '../../src/common/files.js';
import { initBackend } from '../../src/tensors/backend.js';
import { buildDeclarations } from '../declarations.js';
import { programUnderTest } from '../prerequisites/index.js';

const root = packageRoot();
/** What the example gives, here and in the page. */
interface Outcome {
  losses: number[];
  answer: number[];
  error?: string;
}

const { learnAndAnswer } = (await import(pathToFileURL(join(root, 'examples/browser.js')).href)) as {
  learnAndAnswer(
    library: typeof arclab,
    files: arclab.FilesInMemory,
    show: (line: string) => void,
    steps: number,
  ): Promise<Outcome>;
};

const bundle = join(root, 'dist/browser.mjs');

/** Every source that stands below the export, by what it imports from packages; types are gone when it runs. */
async function sourcesBelow(): Promise<Map<string, string[]>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/browser.ts'],
    bundle: true,
    packages: 'external',
    format: 'esm',
    loader: { '.wgsl': 'text' },
    metafile: true,
    write: false,
  });
  return new Map(
    Object.entries(metafile.inputs).map(([file, { imports }]) => [
      file,
      imports.filter(({ external }) => external).map(({ path }) => path),
    ]),
  );
}

test('no source below it imports a module of Node, or uses a name that only Node has', async () => {
  const sources = await sourcesBelow();
  expect(sources.size).toBeGreaterThan(80);
  const packages = new Set([...sources.values()].flat());
  expect([...packages].filter((name) => name.startsWith('node:'))).toEqual([]);
  // what it stands on; one more has to run in a page as well
  expect([...packages].sort()).toEqual([
    '@huggingface/jinja',
    '@huggingface/tokenizers',
    '@tensorflow/tfjs-backend-cpu/dist/backend_cpu',
    '@tensorflow/tfjs-backend-cpu/dist/index',
    '@tensorflow/tfjs-backend-webgpu/dist/backend_webgpu',
    '@tensorflow/tfjs-backend-webgpu/dist/register_all_kernels',
    '@tensorflow/tfjs-core',
    '@tensorflow/tfjs-core/dist/global_util',
    '@tensorflow/tfjs-core/dist/register_all_gradients',
    'ajv',
    'pure-rand/distribution/uniformInt',
    'pure-rand/generator/xoroshiro128plus',
  ]);
  const ofNode = /(?<![.\w'`])(process\.|Buffer\.|__dirname|__filename|require\()/;
  const users = [...sources.keys()].filter((file) =>
    readFileSync(join(root, file), 'utf8')
      .replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
      .split('\n')
      .some((line) => ofNode.test(line)),
  );
  expect(users).toEqual([]);
});

test('nor does the bundle', () => {
  const text = readFileSync(bundle, 'utf8');
  expect(text.match(/["'`]node:[\w/]+["'`]/g)).toBeNull();
  expect(text.match(/^import .*$/m)).toBeNull();
  // what a browser has no module for, such as fs, the bundler would have left in a call of its own
  expect([...text.matchAll(/__require\("([^"]+)"\)/g)].map(([, name]) => name)).toEqual([]);
});

describe('programs of others', () => {
  beforeAll(buildDeclarations, 400_000);

  test.each([
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ])(
    'compile against its declarations without the types of Node (module %s, resolution %s)',
    (module, moduleResolution) => {
      // inside of a package its own name leads to what its package.json exports
      const folder = mkdtempSync(join(root, 'dist/page-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      const options = { noEmit: true, strict: true, target: 'es2022', module, moduleResolution };
      const compilerOptions = { ...options, lib: ['es2023', 'dom'], types: ['long'] };
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['page.mts'] }));
      writeFileSync(
        join(folder, 'page.mts'),
        `import { type FilesInMemory, generate, initWebGpu, loadDecoder, loadTokenizer, Rng, Trainer, tf } from 'arclab/browser';
document.title = await initWebGpu({ powerPreference: 'high-performance' });
const files: FilesInMemory = { 'config.json': await (await fetch('config.json')).arrayBuffer() };
const lora = { rank: 4, alpha: 8, dropout: 0, useRslora: false, useDora: false, init: 'default' } as const;
const decoder = await loadDecoder(files, { lora, rng: Rng.of(1, 'lora') });
const sample = { index: 0, tokens: Int32Array.of(1, 2), labelSpans: [[1, 2]] as const, kind: '', dataset: '', weight: 1 };
const options = { seed: 1, schedule: () => 1e-3, batchSize: 1, maxTokensPerBatch: 9, maxGradNorm: 1, weightDecay: 0 };
const { loss } = await new Trainer(decoder, { next: async () => sample }, options).step();
// @ts-expect-error: the types are there, and not any
loss.nothing;
const prompts = [{ tokens: [1], samples: 1, stream: 's' }];
const [answers] = await generate(decoder, loadTokenizer(files), prompts, { maxNewTokens: 3, temperature: 0, seed: 1 });
document.title = answers[0].text + tf.memory().numTensors;
// @ts-expect-error: a page has no folders
await loadDecoder('models/base');
`,
      );
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      try {
        execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
      } catch (error) {
        throw new Error((error as { stdout: string }).stdout);
      }
    },
    240_000,
  );
});

const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
const modelFiles = (): arclab.FilesInMemory =>
  Object.fromEntries(
    names.map((name) => [name, Uint8Array.from(readFileSync(join(root, 'assets/base-model', name))).buffer]),
  );

test('what is wrong with files in memory is said with their names', async () => {
  await initBackend('wasm');
  const { 'model.safetensors': weights, ...others } = modelFiles();
  await expect(arclab.loadDecoder(others)).rejects.toThrow(/^model: no model\.safetensors and no/);
  await expect(arclab.loadDecoder({})).rejects.toThrow(
    /^model: config\.json: cannot read a model's config\.json: it is not among the files \(\)$/,
  );
  await expect(
    arclab.loadDecoder({ ...others, 'model.safetensors': weights!.slice(0, 5000) }),
  ).rejects.toThrow(/^model: model\.safetensors: truncated: /);
  expect(() => arclab.loadTokenizer({ 'config.json': others['config.json']! })).toThrow(
    /^model: tokenizer\.json: cannot read the tokenizer's tokenizer\.json: it is not among the files \(config\.json\)$/,
  );
});

const browser = programUnderTest('browser');

const types: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
};

/** Serves the folder of the package. @returns its address */
async function serve(): Promise<string> {
  const server = createServer(({ url }, response) => {
    const path = join(root, new URL(url!, 'http://localhost').pathname);
    if (!existsSync(path)) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    response.end(readFileSync(path));
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  onTestFinished(() => void server.close());
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}

/** SwiftShader, which computes on the processor, in the place of a GPU. */
const flags = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];

test.runIf(browser !== undefined)(
  'a page trains an adapter and decodes with the losses and the tokens of wasm in Node',
  async () => {
    // few: the driver is some thirty times slower than wasm
    const steps = 3;
    const url = await serve();
    const profile = mkdtempSync(join(tmpdir(), 'arclab-page-'));
    onTestFinished(() => rmSync(profile, { recursive: true, force: true }));
    const opened = await chromium.launch({ executablePath: browser!, args: flags });
    onTestFinished(() => opened.close());
    const page = await opened.newPage();
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => complaints.push(message.text()));
    await page.goto(`${url}/examples/browser.html?steps=${steps}`);
    await page.waitForFunction('window.result', undefined, { timeout: 200_000 });
    const found = (await page.evaluate('window.result')) as Outcome;
    expect(found.error).toBeUndefined();
    await initBackend('wasm');
    const expected = await learnAndAnswer(arclab, modelFiles(), () => {}, steps);
    expect(found.losses.length).toBe(steps);
    for (const [i, loss] of found.losses.entries()) {
      expect(Math.abs(loss - expected.losses[i]!), `step ${i + 1}`).toBeLessThan(1e-4);
    }
    expect(found.answer).toEqual(expected.answer);
    expect(found.answer.length).toBeGreaterThan(10);
    expect(await page.locator('#log').textContent()).toMatch(/^computing on \S.*\nstep 1: a loss of/);
    expect(complaints).toEqual([]);
  },
  240_000,
);
