import { describe, expect, it } from 'vitest';
import { packageNameOf } from '../../../kernel/engine/packages.js';
import { useKernel } from '../bridge/client.js';

const { kernel, project } = useKernel({
  'node_modules/present/package.json': '{ "name": "present", "type": "module", "exports": "./index.js" }',
  'node_modules/present/index.js': "export * from 'dependency';\n",
  'package.json': '{ "name": "itself", "exports": "./itself.mjs" }',
  'itself.mjs': 'export const own = 1;\n',
  'lib/uses.ts': "import { value } from 'late/sub'; export const used: number = value;\n",
});

function install(name: string, value: number): void {
  project.write(
    `node_modules/${name}/package.json`,
    `{ "name": "${name}", "type": "module", "exports": { ".": "./index.js", "./sub": "./index.js" } }`,
  );
  project.write(`node_modules/${name}/index.js`, `export const value = ${value};\n`);
}

describe('the name of the package in an import', () => {
  it.each([
    ['zod', 'zod'],
    ['zod/v4', 'zod'],
    ['@scope/name/deep/file.js', '@scope/name'],
    ['./zod', undefined],
    ['/zod', undefined],
    ['#inner', undefined],
    ['node:fs', undefined],
    ['fs', undefined],
    ['data:text/javascript,1', undefined],
    ['@scope', undefined],
  ])('%s', (specifier, name) => {
    expect(packageNameOf(specifier)).toBe(name);
  });
});

describe('a package that was asked for before it was installed', () => {
  it.each([
    ['late', (name: string) => `import { value } from '${name}'; value`],
    ['late-sub', (name: string) => `import { value } from '${name}/sub'; value`],
    ['@late/scoped', (name: string) => `import { value } from '${name}/sub'; value`],
    ['late-dynamic', (name: string) => `(await import('${name}')).value`],
  ])('%s is found afterwards', async (name, code) => {
    const { ename, evalue } = await kernel.failure(code(name));
    expect(ename).toBe('ModuleNotFoundError');
    expect(evalue).toContain(`npm install ${name})`);
    install(name, 3);
    expect(await kernel.value(code(name))).toBe('3');
  });

  it('is found also after a require', async () => {
    expect((await kernel.failure("require('late-required')")).evalue).toContain("'late-required'");
    project.write('node_modules/late-required/package.json', '{ "exports": { ".": "./main.js" } }');
    project.write('node_modules/late-required/main.js', 'exports.value = 4;\n');
    expect(await kernel.value("require('late-required').value")).toBe('4');
    expect(await kernel.value("import { value as again } from 'late-required'; again")).toBe('4');
  });

  it('is found by files of the project', async () => {
    project.write('lib/uses2.ts', "import { value } from 'late2'; export const used2: number = value;\n");
    const { ename, evalue } = await kernel.failure("import { used2 } from './lib/uses2'; used2");
    expect([ename, evalue]).toEqual(['ModuleNotFoundError', expect.stringContaining('npm install late2)')]);
    install('late2', 5);
    expect(await kernel.value("import { used2 } from './lib/uses2'; used2")).toBe('5');
  });

  it('is found also where a package had asked for it, which names both', async () => {
    const { evalue } = await kernel.failure("import * as present from 'present'; present");
    expect(evalue).toContain('"present" needs the package "dependency"');
    install('dependency', 6);
    expect(await kernel.value("import { value as six } from 'dependency'; six")).toBe('6');
  });

  it('leaves a package that imports itself by its name to Node', async () => {
    expect(await kernel.value("import { own } from 'itself'; own")).toBe('1');
  });
});
