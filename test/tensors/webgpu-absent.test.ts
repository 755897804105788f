/** What is said where nobody installed the package `webgpu`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { initBackend, knownBackends } from '../../src/tensors/backend.js';

const { place } = vi.hoisted(() => ({ place: { folder: '' } }));
vi.mock('../../src/common/files.js', async (original) => ({
  ...(await original<typeof import('../../src/common/files.js')>()),
  packageRoot: () => place.folder,
}));

beforeAll(() => {
  // neither arclab's folder nor the one it is started in has the package
  place.folder = mkdtempSync(join(tmpdir(), 'arclab-no-webgpu-'));
  vi.spyOn(process, 'cwd').mockReturnValue(place.folder);
});
afterAll(() => {
  vi.restoreAllMocks();
  rmSync(place.folder, { recursive: true });
});

it('`backend: webgpu` without the package is one line that says how to get it', async () => {
  await expect(initBackend('webgpu')).rejects.toThrow(
    /^`backend: webgpu`: the package webgpu is not installed; `npm install webgpu` brings .* Vulkan, Metal or Direct3D$/,
  );
});

it('doctor finds it absent, with the same advice', () => {
  const entry = knownBackends().find(({ name }) => name === 'webgpu')!;
  expect(entry.isPresent()).toBe(false);
  const { found, advice } = entry.inspect!();
  expect(found).toBe('the package webgpu is not installed');
  expect(advice).toMatch(/^`npm install webgpu` brings/);
});
