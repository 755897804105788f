import { describe, expect, it } from 'vitest';
import { parseNotebook } from '../../../kernel/notebook/index.js';
import { injectParameters, parseParameter } from '../../../kernel/runner/parameters.js';
import { UserError } from '../../../src/common/errors.js';
import { pythonWith } from '../../prerequisites/index.js';
import { runPython } from '../python.js';

function notebook(...cells: { source: string; tags?: string[] }[]) {
  const text = JSON.stringify({
    cells: cells.map(({ source, tags = [] }, i) => ({
      cell_type: 'code',
      execution_count: null,
      id: `c${i}`,
      metadata: { tags },
      outputs: [],
      source,
    })),
    metadata: {},
    nbformat: 4,
    nbformat_minor: 5,
  });
  return parseNotebook(text, 'a.ipynb').document;
}

const sources = (document: ReturnType<typeof notebook>) => document.cells.map(({ source }) => source);
const parameters = (values: Record<string, string>) =>
  Object.entries(values).map(([name, text]) => parseParameter(name, text));

describe('a parameter of the command line', () => {
  it.each<[string, unknown]>([
    ['3', 3],
    ['-3', -3],
    ['+3', 3],
    ['0', 0],
    ['1.50', 1.5],
    ['.5', 0.5],
    ['1e-4', 1e-4],
    ['-inf', -Infinity],
    ['nan', Number.NaN],
    ['12345678901234567890', 12345678901234567890n],
    ['True', true],
    ['false', false],
    ['None', null],
    ['null', null],
    ['[1, "a", null]', [1, 'a', null]],
    ['{"a": {"b": 1.5}}', { a: { b: 1.5 } }],
    ['"12345678"', '12345678'],
    ['007bbfb7', '007bbfb7'],
    ['05269061', '05269061'],
    ['qwen/Qwen2-0.5B', 'qwen/Qwen2-0.5B'],
    ['{not json', '{not json'],
    ['', ''],
    [' 3', ' 3'],
    ['TRUE', 'TRUE'],
    ['0x10', '0x10'],
    ['1_000', '1_000'],
  ])('%s', (text, value) => {
    expect(parseParameter('a', text).value).toEqual(value);
  });

  it('needs a name that a variable can have', () => {
    expect(() => parseParameter('max-steps', '3')).toThrow(UserError);
    expect(() => parseParameter('max-steps', '3')).toThrow('-p max-steps: expected a name');
  });
});

describe('the injected cell', () => {
  const values = parameters({ steps: '2', name: 'b' });

  it('comes behind the parameters, and is replaced the next time', async () => {
    const document = notebook(
      { source: '// a' },
      { source: 'const steps = 1, name = "a"', tags: ['parameters'] },
      { source: 'steps' },
    );
    const first = await injectParameters(document, values, 'typescript');
    expect(first).toEqual({ index: 2, isNew: true, warnings: [] });
    expect(document.cells[2]).toMatchObject({
      source: '// Parameters\nconst steps: any = 2;\nconst name: any = "b";\n',
      tags: ['injected-parameters'],
    });
    const second = await injectParameters(document, parameters({ steps: '3' }), 'typescript');
    expect(second).toMatchObject({ index: 2, isNew: false });
    expect(sources(document)).toEqual([
      '// a',
      'const steps = 1, name = "a"',
      '// Parameters\nconst steps: any = 3;\n',
      'steps',
    ]);
  });

  it('is at the top without a parameters cell, with a warning', async () => {
    const document = notebook({ source: 'a' });
    const { index, warnings } = await injectParameters(document, values, 'typescript');
    expect(index).toBe(0);
    expect(warnings.join()).toContain('no cell is tagged "parameters"');
  });

  it('warns of a name that is not declared', async () => {
    const document = notebook({
      source: 'let { stpes, ...rest } = all; const [x] = y',
      tags: ['parameters'],
    });
    const { warnings } = await injectParameters(
      document,
      parameters({ steps: '2', rest: '1', x: '1' }),
      'typescript',
    );
    expect(warnings).toEqual([
      'the cell tagged "parameters" does not declare steps; it declares stpes, rest, x',
    ]);
  });

  it('keeps the declared keyword and type', async () => {
    const source = "let a: 'x' | 'y' = 'x', b = 2\nvar c: Map<string, number[]> | null = null";
    const document = notebook({ source, tags: ['parameters'] });
    await injectParameters(document, parameters({ a: 'y', b: '3', c: 'null' }), 'typescript');
    expect(sources(document)[1]).toBe(
      "// Parameters\nlet a: 'x' | 'y' = \"y\";\nlet b: any = 3;\nvar c: Map<string, number[]> | null = null;\n",
    );
  });

  it('has no types in JavaScript', async () => {
    const document = notebook({ source: 'let a = 1', tags: ['parameters'] });
    await injectParameters(document, parameters({ a: '2', b: '[1]' }), 'javascript');
    expect(sources(document)[1]).toBe('// Parameters\nlet a = 2;\nconst b = [1];\n');
  });

  it('is refused in a language that nobody knows how to write', async () => {
    await expect(injectParameters(notebook(), values, 'r')).rejects.toThrow(
      '-p: cannot write parameters in r; known are python, typescript, javascript',
    );
  });

  it('follows the rules of papermill in Python', async () => {
    const document = notebook({
      source: 'a = 1  # comment\nb: str = "x"\nif a == 1: pass\nc: int',
      tags: ['parameters'],
    });
    const { warnings } = await injectParameters(
      document,
      parameters({
        a: '1e-5',
        b: 'é "q"\n\\',
        c: '3',
        d: '1.0',
        e: 'None',
        f: 'False',
        g: 'inf',
        h: '1e20',
        i: '-0.0',
      }),
      'python',
    );
    expect(sources(document)[1]).toBe(
      '# Parameters\na = 1e-05\nb = "\\xe9 \\"q\\"\\n\\\\"\nc = 3\nd = 1.0\ne = None\nf = False\n' +
        "g = float('inf')\nh = 1e+20\ni = -0.0\n",
    );
    expect(warnings).toHaveLength(7);
  });
});

const python = pythonWith();

describe.skipIf(python === undefined)('in Python itself', () => {
  it('the injected cell has the values that were given', async () => {
    const texts = {
      a: '3',
      b: '1.5',
      c: '1e300',
      d: '123456.789e-10',
      e: 'True',
      f: 'null',
      g: '"x\\u0000\\ud83d\\ude00"',
      h: '{"k": [1, 2.5, {"deep": "é\\t\\\\"}], "t": true}',
      i: 'it\'s "quoted"',
      j: '12345678901234567890',
      k: '5e-324',
    };
    const given = parameters(texts);
    const document = notebook();
    await injectParameters(document, given, 'python');
    const read = runPython(
      python!,
      `import json, sys
names = {}
exec(sys.stdin.read(), names)
names.pop("__builtins__")
print(json.dumps({n: [v, repr(v)] if isinstance(v, float) else v if not isinstance(v, int) or abs(v) < 2**53 else str(v) for n, v in names.items()}))`,
      document.cells[0]!.source,
    ) as Record<string, unknown>;
    for (const { name, value, isFloat } of given) {
      const theirs = read[name];
      if (isFloat) {
        const [number, repr] = theirs as [number, string];
        expect(number).toBe(value);
        // the same digits as Python's own
        expect(document.cells[0]!.source).toContain(`${name} = ${repr}\n`);
      } else expect(theirs).toEqual(typeof value === 'bigint' ? String(value) : value);
    }
  });
});
