import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNotebook } from '../../../kernel/notebook/index.js';
import { readOutput } from '../../../kernel/notebook/outputs.js';
import { anyJsonText, notebook, outputs } from './arbitraries.js';

const written = notebook.chain((value) =>
  fc.tuple(fc.constant(value), anyJsonText(value), fc.constantFrom('', '\n', '\r\n\n')),
);
const documentOf = (text: string) => parseNotebook(text, 'a.ipynb').document;

describe('a notebook in any formatting', () => {
  it('comes out as it came in when nothing is edited', () => {
    fc.assert(
      fc.property(written, ([, text, end]) => {
        expect(documentOf(text + end).text).toBe(text + end);
      }),
    );
  });

  it('changes only the text of the outputs and the count that a run sets', () => {
    fc.assert(
      fc.property(
        written,
        outputs,
        fc.integer({ min: 1, max: 99 }),
        fc.nat(),
        ([value, text], fresh, count, dice) => {
          const codeCells = value.cells.flatMap((cell, i) => (cell.cell_type === 'code' ? [i] : []));
          fc.pre(codeCells.length > 0);
          const index = codeCells[dice % codeCells.length]!;
          const document = documentOf(text);
          document.setRun(index, { outputs: fresh.map(readOutput), executionCount: count });
          const expected = structuredClone(value) as unknown as { cells: Record<string, unknown>[] };
          Object.assign(expected.cells[index]!, { outputs: fresh, execution_count: count });
          const read = (source: string) => documentOf(source).cells;
          expect(read(document.text)).toEqual(read(JSON.stringify(expected)));
          expect(document.cells).toEqual(read(document.text));

          // without both values nothing differs, to the byte
          const blanked = (source: string) => withoutRun(source, index);
          expect(blanked(document.text)).toBe(blanked(text));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps the text of outputs that come out the same', () => {
    fc.assert(
      fc.property(written, ([, text]) => {
        const document = documentOf(text);
        document.cells.forEach((cell, i) => {
          if (cell.type === 'code') document.setRun(i, cell);
        });
        expect(document.text).toBe(text);
      }),
    );
  });

  it('takes a new cell anywhere and keeps the others', () => {
    fc.assert(
      fc.property(written, fc.nat(), ([value, text], dice) => {
        const document = documentOf(text);
        const index = dice % (value.cells.length + 1);
        document.insertCode(index, 'const a = 1\nconst b = "ü"', ['injected-parameters']);
        const cells = documentOf(document.text).cells;
        expect(cells[index]).toMatchObject({
          source: 'const a = 1\nconst b = "ü"',
          tags: ['injected-parameters'],
        });
        expect(cells.filter((_, i) => i !== index)).toEqual(documentOf(text).cells);
      }),
    );
  });
});

/** The text with the values of `outputs` and `execution_count` of one cell cut out, found by another parser. */
function withoutRun(text: string, index: number): string {
  const cells: { start: number; end: number }[] = [];
  walk(text, (path, start, end) => {
    if (path.length === 3 && path[0] === 'cells' && path[1] === index) {
      if (path[2] === 'outputs' || path[2] === 'execution_count') cells.push({ start, end });
    }
  });
  expect(cells).toHaveLength(2);
  return cells.reverse().reduce((rest, { start, end }) => rest.slice(0, start) + rest.slice(end), text);
}

/** Visits every value of a valid JSON text with its path and place: a naive walk over tokens. */
function walk(text: string, visit: (path: (string | number)[], start: number, end: number) => void): void {
  const tokens = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g)];
  let at = 0;
  const value = (path: (string | number)[]): void => {
    const first = tokens[at++]!;
    if (first[0] === '{' || first[0] === '[') {
      for (let i = 0; !'}]'.includes(tokens[at]![0]); i++) {
        const key = first[0] === '{' ? (JSON.parse(tokens[at]![0]) as string) : i;
        if (first[0] === '{') at += 2;
        value([...path, key]);
        if (tokens[at]![0] === ',') at++;
      }
      at++;
    }
    const last = tokens[at - 1]!;
    visit(path, first.index, last.index + last[0].length);
  };
  value([]);
}

describe('new text', () => {
  const cells = (indent: string | number | undefined) =>
    JSON.stringify(
      {
        cells: [
          {
            cell_type: 'code',
            execution_count: null,
            id: 'a',
            metadata: { x: 1e21 },
            outputs: [],
            source: ['1'],
          },
        ],
        metadata: {},
        nbformat: 4,
        nbformat_minor: 5,
      },
      null,
      indent,
    );
  const stream = { output_type: 'stream', name: 'stdout', text: 'é\n2' } as const;

  it.each([
    ['two blanks', cells(2) + '\n'],
    ['tabs', cells('\t')],
    ['Windows line ends', cells(1).replaceAll('\n', '\r\n')],
    ['one line', cells(undefined)],
  ])('is laid out like its surroundings: %s', (_, text) => {
    const document = documentOf(text);
    document.setRun(0, { outputs: [stream], executionCount: 7 });
    const value = JSON.parse(text);
    value.cells[0].outputs = [{ name: 'stdout', output_type: 'stream', text: ['é\n', '2'] }];
    value.cells[0].execution_count = 7;
    const indent = /^\{\r?\n([ \t]+)/.exec(text)?.[1];
    const whole = JSON.stringify(value, null, indent) + (text.endsWith('\n') ? '\n' : '');
    expect(document.text).toBe(text.includes('\r\n') ? whole.replaceAll('\n', '\r\n') : whole);
    document.insertCode(1, 'b', ['t']);
    const again = JSON.parse(document.text);
    const rewritten = JSON.stringify(again, null, indent) + (text.endsWith('\n') ? '\n' : '');
    expect(document.text).toBe(text.includes('\r\n') ? rewritten.replaceAll('\n', '\r\n') : rewritten);
  });

  it('is ASCII where the file is, as Python writes it', () => {
    const text = cells(1).replace('"1"', String.raw`"# caf\u00e9"`);
    const document = documentOf(text);
    document.setRun(0, { outputs: [stream], executionCount: 1 });
    expect(document.text).toContain(String.raw`"\u00e9\n"`);
  });

  it('keeps a byte order mark, the form of numbers, duplicate names and a name like __proto__', () => {
    const text = `\uFEFF{"cells": [{"cell_type":"code","id":"a","metadata":{"n":1.0,"m":1E+5,"__proto__":{"a":1}},"outputs":[1],
      "outputs":[],"source":"","execution_count":null}],"metadata":{"big":12345678901234567890},"nbformat":4,"nbformat_minor":5}`;
    const document = documentOf(text);
    expect(document.text).toBe(text);
    document.setRun(0, { outputs: [stream], executionCount: null });
    expect(document.text).toBe(
      text.replace(
        '"outputs":[]',
        '"outputs":[{"name":"stdout","output_type":"stream","text":["é\\n","2"]}]',
      ),
    );
  });

  it('refreshes recorded times only where there are some', () => {
    const text = cells(1).replace('"x": 1e+21', '"execution": {\n     "iopub.status.busy": "old"\n    }');
    const document = documentOf(text);
    document.setRun(0, { outputs: [], executionCount: null, execution: { 'iopub.status.busy': 'new' } });
    expect(document.text).toBe(text.replace('"old"', '"new"'));
    const without = documentOf(cells(1));
    without.setRun(0, { outputs: [], executionCount: null, execution: { 'iopub.status.busy': 'new' } });
    expect(without.text).toBe(cells(1));
  });
});
