import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { assertAllUsed, standInPlugin } from '../../src/kaggle/stand-ins.js';

async function bundle(contents: string, standIns: Parameters<typeof standInPlugin>[0]) {
  const { plugin, unused } = standInPlugin(standIns, packageRoot());
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: packageRoot() },
    bundle: true,
    write: false,
    format: 'esm',
    plugins: [plugin],
  });
  return { text: outputFiles[0]!.text, unused: unused() };
}

it('takes the place of a module, and only where it is told to', async () => {
  const standIns = [{ path: 'koffi', contents: 'export default "mine";' }];
  const { text, unused } = await bundle("import koffi from 'koffi'; console.log(koffi);", standIns);
  expect(text).toContain('"mine"');
  expect(unused).toEqual([]);
  const elsewhere = [{ ...standIns[0]!, path: 'pure', importer: /other\.js$/ }];
  expect((await bundle('console.log(1)', elsewhere)).unused).toEqual(['pure']);
});

it('is missed when nothing asks for it any more', () => {
  expect(() => assertAllUsed([])).not.toThrow();
  expect(() => assertAllUsed(['./conv', '/pool/'])).toThrow('imports ./conv, /pool/ any more');
});
