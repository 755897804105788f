/** The API reference that `npm run docs:api` makes of the comments of what src/index.ts exports. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { temporaryFolder } from '../training/temporary.js';

const root = packageRoot();

/** The names that src/index.ts exports, without what it exports as a namespace. */
function exportedNames(): string[] {
  const path = join(root, 'src', 'index.ts');
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement) =>
    ts.isExportDeclaration(statement) && statement.exportClause && ts.isNamedExports(statement.exportClause)
      ? statement.exportClause.elements.map(({ name }) => name.text)
      : [],
  );
}

test('has a page for each export, and its links lead somewhere', () => {
  const out = temporaryFolder();
  const typedoc = join(root, 'node_modules', 'typedoc', 'bin', 'typedoc');
  // ends with an error where a comment links to nothing
  execFileSync(process.execPath, [typedoc, '--out', out], { cwd: root, encoding: 'utf8', stdio: 'pipe' });
  const pages = readdirSync(out, { recursive: true, encoding: 'utf8' }).map((path) =>
    path.replace(/^.*\//, '').replace(/\.md$/, ''),
  );
  const names = exportedNames();
  expect(names.length).toBeGreaterThan(200);
  expect(names.filter((name) => !pages.includes(name))).toEqual([]);
  const page = readFileSync(join(out, 'functions', 'rotateGrid.md'), 'utf8');
  expect(page).toContain('rotateGrid');
  expect(page).toContain('Turns counterclockwise by quarter turns (0 to 3).');
}, 240_000);
