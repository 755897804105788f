import fc from 'fast-check';

/** Blanks that JSON allows between its parts, as no sane program writes them. */
const blanks = fc.constantFrom('', ' ', '\n', '\r\n', '\t', '  \n  ');

/** A value in one of the ways that JSON allows to write it: odd blanks, escapes, numbers, order of names. */
export function anyJsonText(value: unknown): fc.Arbitrary<string> {
  if (Array.isArray(value)) {
    return fc
      .tuple(blanks, ...value.map((item) => fc.tuple(blanks, anyJsonText(item), blanks)))
      .map(([lead, ...items]) => `[${items.length === 0 ? lead : items.map((p) => p.join('')).join(',')}]`);
  }
  if (typeof value === 'object' && value !== null) {
    return fc
      .shuffledSubarray(Object.entries(value), { minLength: Object.keys(value).length })
      .chain((entries) =>
        fc
          .tuple(
            blanks,
            ...entries.map(([name, item]) =>
              fc
                .tuple(blanks, anyString(name), blanks, fc.constant(':'), blanks, anyJsonText(item), blanks)
                .map((parts) => parts.join('')),
            ),
          )
          .map(([lead, ...members]) => `{${members.length === 0 ? lead : members.join(',')}}`),
      );
  }
  if (typeof value === 'string') return anyString(value);
  const number = JSON.stringify(value);
  // other forms of the same number
  // 7 may be written 70e-1, but 0 may not be written 00e-1
  const shifted = number === '0' ? '0e-1' : `${number}0e-1`;
  if (/^\d+$/.test(number)) return fc.constantFrom(number, `${number}.0`, shifted, `${number}E+0`);
  return fc.constant(JSON.stringify(value));
}

/** A string with some of its characters as `\u` escapes. */
function anyString(value: string): fc.Arbitrary<string> {
  return fc.infiniteStream(fc.integer({ min: 0, max: 7 })).map((dice) => {
    const units = Array.from({ length: value.length }, (_, i) => value[i]!);
    const hex = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return `"${units.map((unit) => (dice.next().value === 0 ? hex(unit) : plain(unit))).join('')}"`;
  });
}

/** A unit alone as JSON; one half of a pair must not be escaped for being alone. */
const plain = (unit: string) => (/[\ud800-\udfff]/.test(unit) ? unit : JSON.stringify(unit).slice(1, -1));

const text = fc.array(
  fc.string({ unit: 'grapheme', maxLength: 12 }).map((line) => `${line}\n`),
  { maxLength: 3 },
);

/** Values as they are read from JSON: writing −0 gives 0. */
const json = (maxDepth: number) =>
  fc.jsonValue({ maxDepth }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

const output = fc.oneof(
  fc.record({ output_type: fc.constant('stream'), name: fc.constantFrom('stdout', 'stderr'), text }),
  fc.record({
    output_type: fc.constant('execute_result'),
    data: fc.record({ 'text/plain': text, 'application/json': json(2) }),
    metadata: fc.constant({}),
    execution_count: fc.integer({ min: 1, max: 99 }),
  }),
  fc.record({
    output_type: fc.constant('error'),
    ename: fc.constant('Error'),
    evalue: fc.string(),
    traceback: fc.array(fc.string(), { maxLength: 2 }),
  }),
);

export const outputs = fc.array(output, { maxLength: 3 });

const cell = fc.oneof(
  fc.record({
    cell_type: fc.constant('code'),
    metadata: fc.record({
      tags: fc.constantFrom([], ['parameters'], ['a', 'b']),
      odd: json(1),
    }),
    source: text,
    outputs,
    execution_count: fc.option(fc.integer({ min: 1, max: 99 })),
  }),
  fc.record({ cell_type: fc.constantFrom('markdown', 'raw'), metadata: fc.constant({}), source: text }),
);

/** A valid notebook of nbformat 4.5. */
export const notebook = fc
  .record({
    cells: fc.array(cell, { maxLength: 4 }),
    metadata: fc.record({ title: fc.string(), extra: json(2) }),
    nbformat: fc.constant(4),
    nbformat_minor: fc.constant(5),
  })
  .map((value) => ({ ...value, cells: value.cells.map((one, i) => ({ ...one, id: `cell-${i}` })) }));
