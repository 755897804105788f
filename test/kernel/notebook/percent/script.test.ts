import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PercentScript } from '../../../../kernel/notebook/percent/cell.js';
import { readScript, writeScript } from '../../../../kernel/notebook/percent/script.js';
import { pythonWith } from '../../../prerequisites/index.js';
import { runPython } from '../../python.js';

const line = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !text.includes('\n')),
  // what a reader could take for something else
  fc.constantFrom('', ' ', '%%', '%% x', '// %%', '//%%', '  // %% [markdown]', '// // %% a=1', '// In[3]:'),
  fc.constantFrom(
    '%time f()',
    '// %time',
    '//%%bash',
    '<codecell>',
    '// <codecell>',
    '---',
    '// ---',
    '//',
    '///',
  ),
  fc.constantFrom('const a = 1;', '  indented();', 'x\r', '`// %%', '//  // %% x', '%%%', '// %%%'),
);
const source = fc.array(line, { maxLength: 4 }).map((lines) => lines.join('\n'));
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);
const key = fc.oneof(
  fc.constantFrom(
    'tags',
    'title',
    'cell_depth',
    'region_name',
    'active',
    'run_control',
    'name',
    'odd key',
    'a=b',
    '__proto__',
  ),
  fc.string({ maxLength: 6 }),
);
const value = fc.oneof(
  json,
  fc.constantFrom('A title', 'with = sign', '[markdown]', '%x', '.x', 'md', 'ts', 'ipynb', 'py', 3, null, ''),
  fc.constantFrom(['active-ts'], ['active-ipynb'], { frozen: true }, 'a\u2028b', 'x {y'),
);
const metadata = fc
  .array(fc.tuple(key, value), { maxLength: 3 })
  .map((entries) => Object.fromEntries(entries.filter(([name]) => name !== 'lines_to_next_cell')));
const cell = fc.record({
  type: fc.constantFrom('code' as const, 'markdown' as const, 'raw' as const),
  source,
  metadata,
});
const script: fc.Arbitrary<PercentScript> = fc.record({
  metadata: fc.oneof(
    fc.constant({}),
    fc.constant({
      kernelspec: { display_name: 'TypeScript (arclab)', language: 'typescript', name: 'arclab' },
    }),
    fc.dictionary(
      fc
        .string({ minLength: 1, maxLength: 5 })
        .filter((name) => name !== 'jupytext' && name !== 'language_info'),
      fc.oneof(
        json,
        fc.constantFrom('yes', 'no', '1.3', 'on', '2001-01-01', '~', 'a: b', '0x1', '1:30', 'x\ny\n', '---'),
      ),
      { maxKeys: 3 },
    ),
  ),
  cells: fc.array(cell, { maxLength: 4 }),
});

/** Without what only says how many blank lines there are. */
const plain = ({ metadata, cells }: PercentScript) => ({
  metadata,
  cells: cells.map(({ metadata: { lines_to_next_cell: _, ...kept }, ...rest }) => ({
    ...rest,
    metadata: kept,
  })),
});

describe('a script in the percent format', () => {
  it('gives back every notebook that is written as one', () => {
    fc.assert(
      fc.property(script, (given) => {
        const text = writeScript(given);
        expect(plain(readScript(text, 'x.ts'))).toEqual(plain(given));
        // and the text is settled
        expect(writeScript(readScript(text, 'x.ts'))).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it('is written as jupytext writes it', () => {
    const cells = [
      { type: 'raw', source: '---\ntitle: Tour\n---', metadata: {} },
      { type: 'markdown', source: '# Tour\n\nSome text', metadata: {} },
      { type: 'code', source: 'const a = 1;\n\na', metadata: { tags: ['parameters'], title: 'First steps' } },
      { type: 'raw', source: '<b>', metadata: { format: 'text/html' } },
      { type: 'code', source: '%time a\n  %% b', metadata: { collapsed: true } },
      { type: 'code', source: 'secret()', metadata: { tags: ['active-ipynb'] } },
      { type: 'code', source: '', metadata: {} },
    ] as const;
    const kernelspec = { name: 'arclab', language: 'typescript', display_name: 'TypeScript' };
    const given = { metadata: { kernelspec, language_info: { name: 'typescript' } }, cells: [...cells] };
    expect(writeScript(given)).toBe(`// ---
// title: Tour
// jupyter:
//   jupytext:
//     text_representation:
//       extension: .ts
//       format_name: percent
//       format_version: '1.3'
//   kernelspec:
//     display_name: TypeScript
//     language: typescript
//     name: arclab
// ---

// %% [markdown]
// # Tour
//
// Some text

// %% First steps tags=["parameters"]
const a = 1;

a

// %% [raw] format="text/html"
// <b>

// %%
// %time a
  %% b

// %% tags=["active-ipynb"]
// secret()

// %%
`);
  });

  it.each<[string, string, Partial<PercentScript['cells'][number]>[]]>([
    ['no markers at all', 'const a = 1;\n', [{ type: 'code', source: 'const a = 1;' }]],
    [
      'markers of other editors',
      '//%%\n1\n// In[2]:\n2\n// <codecell>\n3',
      [{ source: '1' }, { source: '2' }, { source: '3' }],
    ],
    [
      'code in front of the first marker',
      'import x;\n\n// %%\n1',
      [{ source: 'import x;' }, { source: '1' }],
    ],
    [
      'short text markers',
      '// %% [md] A note\n//text',
      [{ type: 'markdown', source: 'text', metadata: { region_name: 'md', title: 'A note' } }],
    ],
    [
      'options of every type',
      '// %% t a=1 b=[1, 2] c="x = y" d={"e": null} f=true',
      [{ metadata: { title: 't', a: 1, b: [1, 2], c: 'x = y', d: { e: null }, f: true } }],
    ],
    [
      'options as JSON',
      '// %% [raw] {"a b": 1}\n// x',
      [{ type: 'raw', source: 'x', metadata: { 'a b': 1 } }],
    ],
    [
      'options that nobody can read',
      '// %% a = b\nx',
      [{ metadata: { incorrectly_encoded_metadata: 'a = b' } }],
    ],
    ['sub-cells', '// %%%% deep\nx', [{ source: 'x', metadata: { cell_depth: 2, title: 'deep' } }]],
    ['a raw cell that is code in scripts', '// %% active="ts"\nmain()', [{ type: 'raw', source: 'main()' }]],
    [
      'Windows lines and a byte order mark',
      '\uFEFF// %%\r\na\r\n\r\n// %%\r\nb\r\n',
      [{ source: 'a' }, { source: 'b' }],
    ],
    ['text that is not commented', '// %% [markdown]\nplain', [{ type: 'markdown', source: 'plain' }]],
    [
      'two blank lines, of which one belongs to the cell',
      '// %%\na\n\n\n// %%\nb',
      [{ source: 'a\n' }, { source: 'b' }],
    ],
    [
      'no blank line',
      '// %%\na\n// %%\nb',
      [{ source: 'a', metadata: { lines_to_next_cell: 0 } }, { source: 'b' }],
    ],
  ])('is read with %s', (_, text, cells) => {
    const read = readScript(text, 'x.ts').cells;
    expect(read).toHaveLength(cells.length);
    expect(read).toMatchObject(cells);
  });

  it('keeps a program line and an encoding', () => {
    const text =
      '#!/usr/bin/env node\n// -*- coding: utf-8 -*-\n// ---\n// jupyter:\n//   title: é\n// ---\n\n// %%\n1\n';
    const read = readScript(text, 'x.ts');
    expect(read.metadata).toEqual({
      title: 'é',
      jupytext: { executable: '/usr/bin/env node', encoding: '// -*- coding: utf-8 -*-' },
    });
    expect(writeScript(read).split('\n').slice(0, 3)).toEqual(text.split('\n').slice(0, 3));
  });

  it.each([
    ['// ---\n// jupyter:\n//   a: [1\n// ---', 'x.ts:1: the header is not valid YAML: '],
    ['// ---\n// jupyter:\n// ---\n', 'x.ts:1: "jupyter" of the header is no mapping'],
    ['// ---\n// jupyter:\n//   - a\n// ---\n', 'x.ts:1: "jupyter" of the header is no mapping'],
    ['// -*- coding: latin-1 -*-\n', 'x.ts:1: the encoding is latin-1, expected utf-8'],
  ])('with a wrong header is refused in one line: %j', (text, message) => {
    const read = () => readScript(text, 'x.ts');
    expect(read).toThrow(message);
    expect(read).not.toThrow('\n');
  });

  it('without an end of its header is code', () => {
    expect(readScript('// ---\n// just a line\nf();\n', 'x.ts').cells).toMatchObject([{ type: 'code' }]);
  });
});

const python = pythonWith('yaml');
const yamlScript = `
import json, sys, yaml
given = json.load(sys.stdin)
print(json.dumps([[yaml.safe_load(text) for text in given['texts']],
  [yaml.safe_dump({'jupyter': value}, default_flow_style=False) for value in given['values']]]))`;

describe.skipIf(python === undefined)('the header, as Python reads and writes YAML', () => {
  it('is the same', () => {
    const values = fc.sample(script, { numRuns: 300, seed: 1 }).map(({ metadata }) => metadata);
    const strings = [
      'yes',
      'no',
      'on',
      'n',
      'null',
      '~',
      '1.3',
      '1e3',
      '0o7',
      '010',
      '1_000',
      '12:30:45',
      '=',
      '<<',
      '.inf',
    ];
    values.push({
      strings,
      nested: {
        list: [1, [2]],
        empty: {},
        none: null,
        numbers: [1e30, -2e-9, 1.5e300, 0.1, 1e21, 7],
        long: 'word '.repeat(60),
      },
    });
    const texts = values.map((metadata) =>
      writeScript({ metadata, cells: [] })
        .split('\n')
        .slice(1, -2)
        .map((one) => one.replace(/^\/\/ ?/, ''))
        .join('\n'),
    );
    const [loaded, dumped] = runPython(python!, yamlScript, JSON.stringify({ texts, values })) as [
      { jupyter: Record<string, unknown> }[],
      string[],
    ];
    for (const [i, value] of values.entries()) {
      const { jupytext: _, ...theirs } = loaded[i]!.jupyter;
      expect(theirs, texts[i]).toEqual(value);
      const commented = ['---', ...dumped[i]!.trimEnd().split('\n'), '---']
        .map((one) => `// ${one}`)
        .join('\n');
      // without metadata there is nothing below "jupyter"
      if (Object.keys(value).length > 0) expect(readScript(commented, 'x.ts').metadata).toEqual(value);
    }
  });
});
