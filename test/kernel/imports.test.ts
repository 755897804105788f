import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../kernel', import.meta.url));

/** For each file of the kernel the files that it names in imports and re-exports, of types too. */
function importGraph(): Map<string, string[]> {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(root, name));
  const isFile = new Set(files);
  const imports = (file: string) =>
    [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom|\bimport\()\s*'(\.[^']+)'/g)]
      .map(([, specifier]) => resolve(dirname(file), specifier!).replace(/\.js$/, '.ts'))
      .filter((target) => isFile.has(target));
  return new Map(files.map((file) => [file, imports(file)]));
}

/** What is left when files that import nothing that is left are taken away: the circles and what leads into them. */
function entangled(graph: Map<string, string[]>): string[] {
  const left = new Map(graph);
  for (let before = -1; before !== left.size; ) {
    before = left.size;
    for (const [file, targets] of left) {
      if (!targets.some((target) => left.has(target))) left.delete(file);
    }
  }
  return [...left.keys()];
}

it('no files of the kernel import each other in a circle', () => {
  const graph = importGraph();
  expect(graph.size).toBeGreaterThan(60);
  expect(graph.get(join(root, 'engine/engine.ts'))).toContain(join(root, 'contract.ts'));
  expect(entangled(graph).map((file) => file.slice(root.length + 1))).toEqual([]);
});
