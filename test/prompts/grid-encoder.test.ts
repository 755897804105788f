import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/common/rng.js';
import { GridParseError, gridEncoderNames, parseGridEncoder } from '../../src/prompts/index.js';
import { grids as anyGrid } from '../arc/arbitraries.js';

const grids = anyGrid();

/** Every composition: a leaf within any nesting of wrappers. */
const { expression: expressions } = fc.letrec<{ leaf: string; wrapped: string; expression: string }>(
  (tie) => ({
    leaf: fc.oneof(
      fc.constantFrom('MinimalGridEncoder()', 'RepeatNumberEncoder(3)', 'ReplaceNumberEncoder()'),
      fc
        .string({ minLength: 1, maxLength: 3 })
        .filter((separator) => !/['\n\r]/.test(separator))
        .map((separator) => `GridWithSeparationEncoder('${separator}')`),
    ),
    wrapped: fc
      .tuple(
        fc.constantFrom(
          'GridCodeBlockEncoder(',
          'GridShapeEncoder(',
          'RowNumberEncoder(',
          'ReplaceNumberEncoder(',
          'RepeatNumberEncoder(2, ',
        ),
        tie('expression'),
      )
      .map(([head, inner]) => `${head}${inner})`),
    expression: fc.oneof({ maxDepth: 4, depthSize: 'medium' }, tie('leaf'), tie('wrapped')),
  }),
);

const popular = [
  'MinimalGridEncoder()',
  "GridWithSeparationEncoder('|')",
  'GridCodeBlockEncoder(MinimalGridEncoder())',
  'GridShapeEncoder(MinimalGridEncoder())',
  'RowNumberEncoder(MinimalGridEncoder())',
  'RepeatNumberEncoder(3)',
  'ReplaceNumberEncoder()',
  'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))',
];

/** Whether a grammar accepts a text, character by character, and can say at each what may come. */
function accepted(expression: string, text: string): boolean {
  const { grammar } = parseGridEncoder(expression);
  let state = grammar.initial;
  for (const char of text) {
    const next = grammar.step(state, char);
    if (grammar.next(state).includes(char) !== (next !== null)) throw new Error('next disagrees with step');
    if (next === null) return false;
    state = next;
  }
  return grammar.accepts(state);
}

const grid = [
  [0, 1, 2],
  [3, 4, 5],
];

describe('grid encoders write', () => {
  it.each([
    ['MinimalGridEncoder()', '012\n345'],
    ["GridWithSeparationEncoder('|')", '0|1|2\n3|4|5'],
    ['GridCodeBlockEncoder(MinimalGridEncoder())', '```grid\n012\n345\n```'],
    ['GridShapeEncoder(MinimalGridEncoder())', '```grid shape: 2x3\n012\n345\n```'],
    ['RowNumberEncoder(MinimalGridEncoder())', '1 012\n2 345'],
    ['GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))', '```grid shape: 2x3\n1 012\n2 345\n```'],
    ['RepeatNumberEncoder(3)', '000111222\n333444555'],
    ["RepeatNumberEncoder(2, GridWithSeparationEncoder(' '))", '00 11 22\n33 44 55'],
    ['ReplaceNumberEncoder()', 'ñò÷\nûąć'],
    ['GridShapeEncoder(RowNumberEncoder(ReplaceNumberEncoder()))', '```grid shape: 2x3\n1 ñò÷\n2 ûąć\n```'],
    ['ReplaceNumberEncoder(GridShapeEncoder(MinimalGridEncoder()))', '```grid shape: 2x3\nñò÷\nûąć\n```'],
  ])('%s', (expression, text) => {
    const encoder = parseGridEncoder(expression);
    expect(encoder.encode(grid)).toBe(text);
    expect(encoder.decode(text)).toEqual(grid);
  });
});

describe('every composition', () => {
  it('reads back what it wrote, and its grammar accepts it', () => {
    fc.assert(
      fc.property(expressions, grids, (expression, grid) => {
        const encoder = parseGridEncoder(expression);
        const text = encoder.encode(grid);
        expect(encoder.decode(text)).toEqual(grid);
        expect(accepted(expression, text)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('is named by its canonical expression', () => {
    fc.assert(
      fc.property(expressions, (expression) => {
        const canonical = parseGridEncoder(expression).expression;
        expect(parseGridEncoder(canonical).expression).toBe(canonical);
        expect(canonical).toBe(expression);
      }),
    );
    const spaced = ' GridShapeEncoder ( GridWithSeparationEncoder( "|" ) ) ';
    expect(parseGridEncoder(spaced).expression).toBe("GridShapeEncoder(GridWithSeparationEncoder('|'))");
  });

  it('reads whatever a random walk through its grammar writes', () => {
    fc.assert(
      fc.property(expressions, fc.integer(), (expression, seed) => {
        const { grammar, decode, encode } = parseGridEncoder(expression);
        const rng = Rng.of(seed);
        let text = '';
        let state = grammar.initial;
        for (;;) {
          const choices = grammar.next(state);
          if (grammar.accepts(state) && (choices.length === 0 || rng.chance(0.2))) break;
          if (choices.length === 0) throw new Error(`stuck behind ${JSON.stringify(text)}`);
          const char = rng.pick(choices);
          text += char;
          state = grammar.step(state, char) as object;
        }
        expect(encode(decode(text))).toBe(text);
      }),
      { numRuns: 60 },
    );
  });

  it('reads a spoiled text exactly when its grammar accepts it', () => {
    const edit = fc.record({
      at: fc.nat(),
      drop: fc.integer({ min: 0, max: 3 }),
      insert: fc.constantFrom('', '', '0', '7', '1 ', '\n', '\n2 01', '```', ' ', 'x', '|', 'ñ'),
    });
    const small = grids.filter((grid) => grid.length * (grid[0] as number[]).length < 40);
    fc.assert(
      fc.property(
        fc.constantFrom(...popular),
        small,
        fc.array(edit, { minLength: 1, maxLength: 2 }),
        (expression, grid, edits) => {
          const encoder = parseGridEncoder(expression);
          let text = encoder.encode(grid);
          for (const { at, drop, insert } of edits) {
            const start = at % (text.length + 1);
            text = text.slice(0, start) + insert + text.slice(start + drop);
          }
          let read = true;
          try {
            encoder.decode(text);
          } catch (error) {
            expect(error).toBeInstanceOf(GridParseError);
            read = false;
          }
          expect(accepted(expression, text)).toBe(read);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('reaches the same state object at the same place', () => {
    const { grammar } = parseGridEncoder('GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))');
    const walk = (text: string) =>
      Array.from(text).reduce((state, char) => grammar.step(state, char)!, grammar.initial);
    expect(walk('```grid shape: 2x3\n1 01')).toBe(walk('```grid shape: 2x3\n1 97'));
    expect(walk('```grid shape: 2x3\n1 01')).not.toBe(walk('```grid shape: 2x4\n1 01'));
  });

  it('leaves no choice where none is: the row number, the end of a row, the closing fence', () => {
    const { grammar } = parseGridEncoder('GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))');
    let state = grammar.initial;
    let choices = 0;
    for (const char of '```grid shape: 2x3\n1 012\n2 345\n```') {
      if (grammar.next(state).length > 1) choices++;
      state = grammar.step(state, char) as object;
    }
    // six cells; the height ("2" or "2x") and its end; the width and its end
    expect(choices).toBe(6 + 4);
    expect(grammar.next(state)).toEqual([]);
  });
});

describe('strict reading says what is wrong', () => {
  const shape = 'GridShapeEncoder(RowNumberEncoder(MinimalGridEncoder()))';
  const wide = '0'.repeat(31);
  it.each([
    ['MinimalGridEncoder()', '01\n012', 'ragged', 'row 2 has 3 cells, row 1 has 2'],
    ['MinimalGridEncoder()', '', 'cell', 'row 1, column 1'],
    ['MinimalGridEncoder()', '01\n', 'cell', 'row 2, column 1'],
    ['MinimalGridEncoder()', '0a', 'cell', 'row 1, column 2: expected one of 0 1 2 3 4 5 6 7 8 9, found "a"'],
    ['MinimalGridEncoder()', '01\r\n01', 'cell', 'column 3'],
    ['MinimalGridEncoder()', '0١', 'cell', 'column 2'],
    ['MinimalGridEncoder()', wide, 'size', 'row 1 has more than 30 columns'],
    ['MinimalGridEncoder()', Array(31).fill('0').join('\n'), 'size', '31 rows, expected at most 30'],
    ["GridWithSeparationEncoder('|')", '0|1|', 'cell', 'row 1, column 3'],
    ["GridWithSeparationEncoder('|')", '01', 'cell', 'expected "|" after column 1, found "1"'],
    ['RepeatNumberEncoder(3)', '000110', 'cell', 'row 1, column 2'],
    [
      'RowNumberEncoder(MinimalGridEncoder())',
      '1 01\n3 01',
      'row-number',
      'row 2: expected it to begin with "2 "',
    ],
    ['RowNumberEncoder(MinimalGridEncoder())', '01', 'row-number', 'row 1'],
    [shape, '```grid shape: 2x2\n1 01\n```', 'shape', 'declared as 2x2, but it is 1x2'],
    [shape, '```grid shape: 1x31\n1 01\n```', 'size', '1x31 is larger than 30x30'],
    [shape, '```grid shape: 01x2\n1 01\n```', 'fence', 'grid shape: <rows>x<columns>'],
    [shape, '1 01', 'fence', 'expected a line "```grid shape'],
    [shape, '```grid shape: 1x2\n1 01', 'fence', 'at the end'],
    [shape, 'Sure! ```grid shape: 1x2\n1 01\n```', 'fence', 'Sure!'],
    [shape, '```grid shape: 1x2\n```', 'fence', 'at the end'],
  ])('%s of %j', (expression, text, reason, message) => {
    let caught: unknown;
    try {
      parseGridEncoder(expression).decode(text);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(GridParseError);
    expect(caught).toMatchObject({ reason, message: expect.stringContaining(message) });
    expect((caught as Error).message).not.toContain('\n');
    expect(accepted(expression, text)).toBe(false);
  });
});

describe('an expression that cannot be read', () => {
  it.each([
    [
      'GridShapEncoder(MinimalGridEncoder())',
      `position 1: unknown encoder "GridShapEncoder". Known encoders: ${gridEncoderNames.join(', ')}`,
    ],
    ['GridShapeEncoder(Minimal())', 'position 18: unknown encoder "Minimal"'],
    ['toString()', 'unknown encoder "toString"'],
    ['MinimalGridEncoder', 'position 19: expected "(" after MinimalGridEncoder, found the end'],
    ['GridShapeEncoder(MinimalGridEncoder()', 'position 38: expected "," or ")", found the end'],
    ['MinimalGridEncoder())', 'position 21: expected the end, found ")"'],
    ['', 'position 1: expected the name of an encoder, found the end'],
    ['GridShapeEncoder()', 'position 1: expected GridShapeEncoder(encoder), found GridShapeEncoder()'],
    ['RowNumberEncoder(3)', 'expected RowNumberEncoder(encoder), found RowNumberEncoder(3)'],
    ['MinimalGridEncoder(3)', 'expected MinimalGridEncoder(), found MinimalGridEncoder(3)'],
    ["GridWithSeparationEncoder('')", "expected GridWithSeparationEncoder('|'), found"],
    ["GridWithSeparationEncoder('|", 'position 27: the string does not end'],
    ['RepeatNumberEncoder(0)', 'expected RepeatNumberEncoder(times)'],
    ['RepeatNumberEncoder(MinimalGridEncoder())', 'expected RepeatNumberEncoder(times)'],
    ['RowNumberEncoder(,MinimalGridEncoder())', 'position 18: expected the name of an encoder, found ","'],
    ['GridShapeEncoder(MinimalGridEncoder(),)', 'position 39: expected the name of an encoder, found ")"'],
  ])('%s', (expression, message) => {
    expect(() => parseGridEncoder(expression)).toThrow(message);
  });
});
