import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNotebook } from '../../../kernel/notebook/index.js';
import { JsonSyntaxError, parseJsonText } from '../../../kernel/notebook/json-text.js';
import { UserError } from '../../../src/common/errors.js';
import { pythonWith } from '../../prerequisites/index.js';
import { runPython } from '../python.js';
import { notebook } from './arbitraries.js';

const code = { cell_type: 'code', execution_count: null, id: 'a', metadata: {}, outputs: [], source: '' };
const whole = { cells: [code], metadata: {}, nbformat: 4, nbformat_minor: 5 };
const withCell = (change: object) => ({ ...whole, cells: [code, { ...code, ...change }] });

describe('a broken notebook', () => {
  it.each<[unknown, string]>([
    [[], 'a.ipynb: not a notebook: expected an object with "nbformat" and "cells"'],
    [{ nbformat: 2, worksheets: [] }, 'a notebook of nbformat 2.0; 3.0 to 4.5 can be read'],
    [{ nbformat: 5, nbformat_minor: 1 }, 'a notebook of nbformat 5.1'],
    [{ ...whole, cells: 3 }, 'at /cells: must be array, found 3'],
    [
      { ...whole, nbformat_minor: undefined },
      "at the top level: must have required property 'nbformat_minor'",
    ],
    [
      withCell({ cell_type: 'heading' }),
      'at /cells/1: cell_type must be one of code, markdown, raw, found {',
    ],
    [withCell({ source: 3 }), 'at /cells/1/source: must be string,array, found 3'],
    [withCell({ outputs: undefined }), "at /cells/1: must have required property 'outputs'"],
    [withCell({ extra: 1 }), 'at /cells/1: must not have the property "extra"'],
    [
      withCell({ outputs: [{ output_type: 'stream', name: 'stdout' }] }),
      "/cells/1/outputs/0: must have required property 'text'",
    ],
    [
      withCell({ outputs: [{ output_type: 'pyout' }] }),
      'output_type must be one of execute_result, display_data, stream, error',
    ],
    [withCell({ id: 'a b' }), 'at /cells/1/id: must match pattern'],
    [{ nbformat: 3 }, 'not a notebook of nbformat 3: at /worksheets'],
  ])('is refused in one line: %j', (value, message) => {
    const run = () => parseNotebook(JSON.stringify(value), 'a.ipynb');
    expect(run).toThrow(UserError);
    expect(run).toThrow(message);
  });

  it.each([
    ['', 'line 1, column 1: expected a value, found the end of the file'],
    ['{"cells": [\n  {"a": 1,}\n]}', 'line 2, column 11: expected a name in quotes, found "}"'],
    ['{"a": nan}', 'line 1, column 7: expected a value, found "nan"'],
    ['{"a": +Infinity}', 'line 1, column 7: expected a value, found "+Infinity"'],
    ['{"a": 01}', 'line 1, column 7: expected a value, found "01"'],
    ['{"a" 1}', `line 1, column 6: expected ':', found "1"`],
    ['{"a": 1 "b"}', `line 1, column 9: expected ',' or '}', found "\\""`],
    ['{"a": "b\nc"}', 'line 1, column 9: expected the string to go on'],
    ['{"a": "b', 'expected the closing quote of the string that begins with "b, found the end of the file'],
    ['{"a": "\\x"}', 'line 1, column 9: expected an escape such as'],
    ['{"a": [1, 2', `expected ',' or ']', found the end of the file`],
    ['{} {}', 'line 1, column 4: expected nothing after the end of the document'],
    ['<<<<<<< HEAD\n{}', 'line 1, column 1: expected a value, found "<"'],
    ['['.repeat(10_000), 'expected at most 500 levels of nesting'],
  ])('has the position of what is not JSON: %j', (text, message) => {
    const run = () => parseNotebook(text, 'a.ipynb');
    expect(run).toThrow(UserError);
    expect(run).toThrow('a.ipynb: expected a notebook, but it is not valid JSON: ');
    expect(run).toThrow(message);
  });

  it('is refused exactly where JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      ...'{}[]",:0123456789.eE+-\\ \n\tubfntrue'.split(''),
      'true',
      'null',
      '"a"',
      '\\u00e9',
      '\u0001',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        if (valid) parseJsonText(text);
        else expect(() => parseJsonText(text)).toThrow(JsonSyntaxError);
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('an older notebook', () => {
  const old = `{
 "cells": [
  {
   "cell_type": "markdown",
   "metadata": {},
   "source": [
    "# a"
   ]
  },
  {"cell_type": "code", "metadata": {"scrolled": false}, "source": "1.0", "outputs": [], "execution_count": null}
 ],
 "metadata": {},
 "nbformat": 4,
 "nbformat_minor": 2
}
`;

  it('of nbformat 4.2 gets ids and the new number, and nothing else', () => {
    const { document, upgradedFrom } = parseNotebook(old, 'a.ipynb');
    expect(upgradedFrom).toBe('4.2');
    const ids = document.cells.map(({ id }) => id);
    expect(document.text).toBe(
      old
        .replace('   "metadata": {},', `   "id": "${ids[0]}",\n   "metadata": {},`)
        .replace('"metadata": {"scrolled', `"id": "${ids[1]}", "metadata": {"scrolled`)
        .replace('"nbformat_minor": 2', '"nbformat_minor": 5'),
    );
    expect(parseNotebook(old, 'b.ipynb').document.text).toBe(document.text);
    expect(parseNotebook(document.text, 'a.ipynb')).not.toHaveProperty('upgradedFrom');
  });

  it('has different ids for equal cells', () => {
    const { id: _, ...plain } = code;
    const text = JSON.stringify({ ...whole, nbformat_minor: 4, cells: [plain, plain, plain] });
    expect(new Set(parseNotebook(text, 'a').document.cells.map(({ id }) => id)).size).toBe(3);
  });
});

const python = pythonWith('nbformat');

describe.skipIf(python === undefined)("Python's nbformat", () => {
  const v3 = {
    metadata: { name: 'old', signature: 'sha256:0', kernel: 'kept' },
    nbformat: 3,
    nbformat_minor: 0,
    worksheets: [
      {
        metadata: {},
        cells: [
          { cell_type: 'heading', level: 2, metadata: {}, source: ['A long\n', 'heading'] },
          { cell_type: 'markdown', metadata: {}, source: ['*text*'] },
          { cell_type: 'raw', metadata: { a: 1 }, source: 'raw' },
          {
            cell_type: 'code',
            collapsed: true,
            input: ['1\n', '2'],
            language: 'python',
            metadata: {},
            prompt_number: 4,
            outputs: [
              { output_type: 'stream', stream: 'stderr', text: ['a\n'] },
              {
                output_type: 'pyout',
                prompt_number: 4,
                text: ['2'],
                html: '<b>',
                metadata: { png: { w: 1 } },
              },
              { output_type: 'display_data', png: 'aGk=', json: '{"a": [1]}', metadata: {} },
              { output_type: 'pyerr', ename: 'E', evalue: 'v', traceback: ['t'] },
            ],
          },
        ],
      },
      { cells: [{ cell_type: 'code', input: '', language: 'python', metadata: {}, outputs: [] }] },
    ],
  };

  it('upgrades nbformat 3 to the same, but for ids that are drawn at random', () => {
    const theirs = runPython(
      python!,
      `import json, sys, nbformat
nb = nbformat.reads(sys.stdin.read(), as_version=4)
nbformat.validate(nb)
print(nbformat.writes(nb))`,
      JSON.stringify(v3),
    );
    const theirDocument = parseNotebook(JSON.stringify(theirs), 'theirs.ipynb').document;
    const { document, upgradedFrom } = parseNotebook(JSON.stringify(v3), 'a.ipynb');
    expect(upgradedFrom).toBe('3.0');
    const withoutIds = ({ cells }: typeof document) => cells.map((cell) => ({ ...cell, id: '' }));
    expect(withoutIds(document)).toEqual(withoutIds(theirDocument));
    expect(document.metadata).toEqual(theirDocument.metadata);
  });

  it('accepts and refuses the same notebooks as our schema', () => {
    const changes: Record<string, unknown>[] = [
      {},
      { outputs: {} },
      { metadata: [] },
      { metadata: { tags: ['a', 'a'] } },
      { metadata: { tags: ['a,b'] } },
      { metadata: { scrolled: 'auto', collapsed: true } },
      { metadata: { scrolled: 'no' } },
      { metadata: { name: '' } },
      { execution_count: -1 },
      { execution_count: 1.5 },
      { execution_count: '1' },
      { id: '' },
      { id: 'x'.repeat(65) },
      { cell_type: 'markdown' },
      { source: ['a', 1] },
      { source: ['a', 'b'] },
      { outputs: [{ output_type: 'stream', name: 'other', text: 'a' }] },
      { outputs: [{ output_type: 'stream', name: 'a', text: 'a', extra: 1 }] },
      { outputs: [{ output_type: 'display_data', data: { 'application/x+json': { a: 1 } }, metadata: {} }] },
      { outputs: [{ output_type: 'display_data', data: { 'application/x': { a: 1 } }, metadata: {} }] },
      { outputs: [{ output_type: 'execute_result', data: {}, metadata: {} }] },
      { outputs: [{ output_type: 'execute_result', data: {}, metadata: {}, execution_count: null }] },
      { outputs: [{ output_type: 'error', ename: 'a', evalue: 'b', traceback: 'c' }] },
      { metadata: { execution: { 'iopub.status.busy': 3 } } },
    ];
    const tops = [
      { metadata: { kernelspec: { name: 'a' } } },
      { metadata: { language_info: {} } },
      { extra: 1 },
      { metadata: { language_info: { name: 'a', codemirror_mode: 3 } } },
      { metadata: { orig_nbformat: 4 } },
    ];
    const texts = [
      ...changes.map((change) => JSON.stringify(withCell({ id: 'b', ...change }))),
      ...tops.map((change) => JSON.stringify({ ...whole, ...change })),
    ];
    const theirs = runPython(
      python!,
      `import json, sys, nbformat
from nbformat.validator import iter_validate
print(json.dumps([not list(iter_validate(json.loads(t), version=4, version_minor=5)) for t in json.load(sys.stdin)]))`,
      JSON.stringify(texts),
    );
    const ours = texts.map((text) => {
      try {
        parseNotebook(text, 'a');
        return true;
      } catch {
        return false;
      }
    });
    expect(ours).toEqual(theirs);
    expect(new Set(ours)).toEqual(new Set([true, false]));
  });

  it('accepts what comes out of edits', () => {
    const texts = fc.sample(notebook, { numRuns: 50, seed: 1 }).map((value) => {
      const { document } = parseNotebook(JSON.stringify(value, null, 1), 'a');
      document.insertCode(0, 'x = 1\n', ['injected-parameters']);
      document.setRun(0, {
        outputs: [{ output_type: 'stream', name: 'stdout', text: 'a\nb' }],
        executionCount: 1,
      });
      return document.text;
    });
    const valid = runPython(
      python!,
      `import json, sys, nbformat
for t in json.load(sys.stdin): nbformat.validate(json.loads(t))
print("true")`,
      JSON.stringify(texts),
    );
    expect(valid).toBe(true);
  });
});

describe('numbers that Python writes and JSON does not have', () => {
  const text = JSON.stringify({
    ...whole,
    metadata: { scores: ['@NaN@', '@Infinity@', '@-Infinity@', 'NaN'] },
    cells: [{ ...code, metadata: { loss: '@NaN@' }, source: 'x' }],
  }).replace(/"@([^"]*)@"/g, '$1');

  it('are read, and written as they were', () => {
    const { document } = parseNotebook(text, 'a.ipynb');
    expect(document.metadata.scores).toEqual([Number.NaN, Infinity, -Infinity, 'NaN']);
    expect(document.cells[0]!.metadata).toEqual({ loss: Number.NaN });
    expect(document.text).toBe(text);
    document.setRun(0, {
      outputs: [{ output_type: 'display_data', data: { 'application/json': [Number.NaN] }, metadata: {} }],
      executionCount: 1,
    });
    expect(document.text).toContain('"loss":NaN');
    expect(document.text).toMatch(/"application\/json": ?\[NaN\]/);
    expect(parseNotebook(document.text, 'a.ipynb').document.cells[0]!.outputs).toHaveLength(1);
  });
});
