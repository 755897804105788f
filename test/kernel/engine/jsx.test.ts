import { describe, expect, it } from 'vitest';
import { useKernel } from '../bridge/client.js';

/** A runtime of JSX as React's: an element is what it was made from. */
const RUNTIME =
  "export const jsx = (type, props) => ({ from: 'NAME', type, props });\nexport const jsxs = jsx;\nexport const jsxDEV = jsx;\nexport const Fragment = 'fragment';\nexport const h = (type, props, ...children) => ({ from: 'factory', type, props, children });\nexport default { createElement: h, Fragment };\n";

function runtime(name: string): Record<string, string> {
  return {
    [`node_modules/${name}/package.json`]: `{ "name": "${name}", "type": "module", "exports": { ".": "./index.js", "./jsx-runtime": "./index.js", "./jsx-dev-runtime": "./index.js" } }`,
    [`node_modules/${name}/index.js`]: RUNTIME.replace('NAME', name),
  };
}

const FILES = {
  ...runtime('react'),
  ...runtime('other'),
  'lib/title.tsx':
    'export interface Props { text: string }\nexport const Title = ({ text }: Props) => <h1 className="t">{text}</h1>;\nexport const fails = () => <b>{nowhere}</b>;\n',
  'lib/plain.jsx': 'export const plain = <i />;\n',
  'lib/types-only.tsx': 'export const first = <T,>(items: T[]): T | undefined => items[0];\n',
};

const JSON_OF = (code: string) => `JSON.stringify(${code})`;

describe('JSX', () => {
  const { kernel } = useKernel(FILES);

  it.each([
    ['<b>hi</b>', { from: 'react', type: 'b', props: { children: 'hi' } }],
    ['<><b/><i/></>', { type: 'fragment', props: { children: [{ type: 'b' }, { type: 'i' }] } }],
    ['<b key="k" {...{ id: 1 }} wide data-x={1 as number} />', { props: { id: 1, wide: true, 'data-x': 1 } }],
    ['((<T,>(x: T): T => x)(<b/>))', { type: 'b' }],
    [
      '(<E name={"x" satisfies string}/>).type({ name: "y" })',
      { type: 'p', props: { children: ['Hi ', 'y'] } },
    ],
  ])('%s', async (code, expected) => {
    await kernel.run('const E = ({ name }: { name: string }) => <p>Hi {name}</p>');
    const text = await kernel.value(JSON_OF(code));
    expect(JSON.parse(text!.slice(1, -1))).toMatchObject(expected);
  });

  it('is declared, and used by later cells', async () => {
    await kernel.run('enum Size { Big = "big" }\nconst frag = <b className={Size.Big}>{1 + 1}</b>');
    expect(await kernel.value('frag.props.className + frag.props.children')).toBe("'big2'");
  });

  it('may stand in files, which errors show as they were written', async () => {
    expect(
      await kernel.value(
        "import { Title, fails } from './lib/title'; (<Title text='a'/>).type({ text: 'b' }).type",
      ),
    ).toBe("'h1'");
    expect(await kernel.value("import { plain } from './lib/plain'; plain.type")).toBe("'i'");
    expect(await kernel.value("import { first } from './lib/types-only'; first([4])")).toBe('4');
    expect((await kernel.failure('fails()')).traceback[0]).toBe('lib/title.tsx:3:32');
  });

  it('is tried only where a cell is no TypeScript', async () => {
    expect(await kernel.value('const asserted = <any>5; <string>asserted')).toBe('5');
    expect(await kernel.value('(<T>(x: T) => x)<number>(6)')).toBe('6');
  });

  it.each([
    ['const x = <b>hi</i>', /Expected corresponding JSX closing tag for 'b'/, 'cell-N.ts:1:18'],
    ['const y = 1;\nconst z = <b>{y +}</b>', /Expression expected/, 'cell-N.ts:2:18'],
    ['if (1 < 2 {', /Expected '\)'/, 'cell-N.ts:1:11'],
  ])('%s is a syntax error where it is wrong', async (code, message, place) => {
    const { ename, evalue, traceback } = await kernel.failure(code);
    expect(ename).toBe('SyntaxError');
    expect(evalue).toMatch(message);
    expect(traceback[0]!.replace(/\d+(?=\.ts)/, 'N')).toBe(place);
  });

  it('has exact places in errors', async () => {
    const { traceback } = await kernel.failure('const ok = 1;\nconst el = <b>\n  {nowhere}\n</b>');
    expect(traceback[0]).toMatch(/^cell-\d+\.ts:3:4$/);
  });

  it('takes the runtime that a cell names', async () => {
    expect(await kernel.value('/** @jsxImportSource other */\n(<b/>).from')).toBe("'other'");
  });
});

describe('JSX of a project', () => {
  const { kernel, project } = useKernel(FILES);

  it.each([
    ['{ "jsx": "react-jsx", "jsxImportSource": "other" }', "'other'"],
    ['{ "jsx": "preserve" }', "'react'"],
    ['{ "jsx": "react-jsxdev" }', "'react'"],
    ['{ "jsx": "react" }', "'factory'"],
    ['{ "jsx": "react", "jsxFactory": "h" }', "'factory'"],
  ])('with %s comes from %s', async (options, from) => {
    project.write('tsconfig.json', `{ "compilerOptions": ${options} }`);
    expect(await kernel.value("import React, { h } from 'react'; (<b/>).from")).toBe(from);
  });

  it('says what to install where its runtime is missing', async () => {
    project.write('tsconfig.json', '{ "compilerOptions": { "jsxImportSource": "missing" } }');
    const { ename, evalue, traceback } = await kernel.failure('const a = <b/>');
    expect([ename, evalue]).toEqual(['ModuleNotFoundError', expect.stringContaining('npm install missing)')]);
    expect(traceback[0]).toMatch(/^cell-\d+\.ts:1:1$/);
  });
});

describe('decorators of a project', () => {
  const { kernel, project } = useKernel({
    'tsconfig.json':
      '{ "compilerOptions": { "experimentalDecorators": true, "emitDecoratorMetadata": true } }',
  });

  it('are the legacy ones in cells where the project has them, with metadata', async () => {
    const { text } = await kernel.run(`
      const seen: unknown[] = [];
      (Reflect as any).metadata = (key: string, value: unknown) => () => { seen.push(key, value) };
      function prop(target: object, key: string) { seen.push(key) }
      class Service {}
      class App { @prop field?: string; @prop other = 1; constructor(private s?: Service) {} }
      function injectable() { return (target: unknown) => {} }
      @injectable() class Whole { constructor(private service: Service) {} }
      [seen.includes('field'), seen.some((v) => Array.isArray(v) && v[0] === Service)]`);
    expect(text).toBe('[ true, true ]');
  });

  it("are the language's where it has not, from the next cell on", async () => {
    project.write('tsconfig.json', '{}');
    const code =
      "let kind = ''; function which(value: unknown, context: any) { kind = context.kind } class K { @which m() {} } kind";
    expect(await kernel.value(code)).toBe("'method'");
  });
});
