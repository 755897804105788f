import { expect, describe as group, test } from 'vitest';
import { breakableAt, breakableFrom } from '../../../kernel/debug/breakable.js';
import { isInTry } from '../../../kernel/debug/caught.js';
import { murmur2 } from '../../../kernel/debug/murmur2.js';
import { cellPath } from '../../../kernel/debug/source-names.js';
import { describe, groupsOf, isIdentifier, memberExpression } from '../../../kernel/debug/values.js';
import { compileCell } from '../../../kernel/engine/cell-code.js';
import { stripTypes } from '../../../kernel/engine/strip.js';

group('names of cells', () => {
  // from ipykernel.compiler.murmur2_x86(text, 0xc70f6907), ipykernel 7.4.0
  test.each([
    ['', 3990065800],
    ['a', 2167009006],
    ['ab', 2805137849],
    ['abc', 3350977461],
    ['abcd', 804720481],
    ['const x: number = 1;\nx', 3255368545],
    ['größe → 漢字 🎉', 1412058453],
    ['\r\n\t', 2649490949],
  ])('the hash of %j is that of ipykernel', (text, hash) => {
    expect(murmur2(text, 0xc70f6907)).toBe(hash);
    expect(cellPath(text)).toMatch(new RegExp(`[/\\\\]${hash}\\.ts$`));
  });
});

group('places of a cell', () => {
  /** For each line of the source whether code that runs came from it. */
  const linesOf = (source: string) => {
    const { expression, original } = compileCell(source, 'cell.ts', stripTypes);
    const lines = new Set<number>();
    expression.split('\n').forEach((text, i) => {
      for (let column = 0; column < text.length; column++) {
        const place = original({ line: i + 1, column });
        if (!place.isAdded && text[column] !== ' ') lines.add(place.line);
      }
    });
    return [...lines].sort((a, b) => a - b);
  };

  test('what the kernel adds is marked, what it replaces stands where the original stood', () => {
    const source = "import { a } from 'x';\nvar b = 1;\nconst c = a;\nexport default c;";
    const { expression, original } = compileCell(source, 'cell.ts', stripTypes);
    const at = (text: string) => {
      const before = expression.slice(0, expression.indexOf(text)).split('\n');
      return original({ line: before.length, column: before.at(-1)!.length });
    };
    expect(at("'use strict'")).toMatchObject({ isAdded: true });
    expect(at('void (')).toEqual({ line: 2, column: 0 });
    expect(at('c = a')).toEqual({ line: 3, column: 6 });
    expect(at(';(')).toEqual({ line: 4, column: 0 });
    expect(linesOf('let x = 1;\n\nx;')).toEqual([1, 3]);
  });

  test('a function stands ahead of everything and keeps its lines', () => {
    const source = 'const n = f();\nfunction f(): number {\n  return 1;\n}';
    const { expression, original } = compileCell(source, 'cell.ts', stripTypes);
    const before = expression.slice(0, expression.indexOf('return')).split('\n');
    expect(original({ line: before.length, column: before.at(-1)!.length })).toEqual({ line: 3, column: 2 });
  });
});

group('breakpoints', () => {
  const at = (lineNumber: number) => ({ lineNumber, columnNumber: 0 });
  const places = breakableFrom([at(0), at(1), at(2), at(3)], [[5, 2], null, [0, 4], [2, 0]]);

  test('go to the first place of their line, else of the next line that has one', () => {
    expect(places.map(({ line }) => line)).toEqual([0, 2, 5]);
    expect(breakableAt(places, 0)!.at).toEqual(at(2));
    expect(breakableAt(places, 0, 5)!.at).toEqual(at(3));
    expect(breakableAt(places, 3)!.at).toEqual(at(0));
    expect(breakableAt(places, 6)).toBeUndefined();
  });
});

group('values', () => {
  test('a large array is shown in groups that are shown in groups', () => {
    expect(groupsOf(0, 100)).toEqual([]);
    expect(groupsOf(0, 101)).toEqual([
      [0, 100],
      [100, 101],
    ]);
    expect(groupsOf(0, 10_000)).toHaveLength(100);
    const million = groupsOf(0, 1_000_000);
    expect(million).toHaveLength(100);
    expect(groupsOf(...million[0]!)).toHaveLength(100);
    for (const count of [101, 9_999, 10_001, 123_456_789]) {
      const groups = groupsOf(7, 7 + count);
      expect(groups.length).toBeGreaterThan(1);
      expect(groups.length).toBeLessThanOrEqual(100);
      expect(groups.map(([start]) => start)).toEqual([7, ...groups.slice(0, -1).map(([, end]) => end)]);
      expect(groups.at(-1)![1]).toBe(7 + count);
    }
  });

  test('a long text is cut, a number that is not whole is a float', () => {
    expect(describe({ type: 'string', value: 'x'.repeat(5000) }).value.length).toBeLessThan(2010);
    expect(describe({ type: 'number', value: 2 ** 53 }).type).toBe('float');
    expect(describe({ type: 'number', unserializableValue: '-0' })).toEqual({ value: '-0', type: 'float' });
  });

  test('expressions of members are JavaScript', () => {
    expect(memberExpression('a', 'b')).toBe('a.b');
    expect(memberExpression('a', '3')).toBe('a[3]');
    expect(memberExpression('a', 'b c')).toBe('a["b c"]');
    expect(memberExpression(undefined, 'b')).toBeUndefined();
    expect(['größe', '$a', '_', 'a1', '1a', 'a b', ''].map(isIdentifier)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });
});

test.each([
  ['try { MARK } catch {}', true],
  ['try { MARK } finally {}', false],
  ['try {} catch { MARK }', false],
  ['try {} catch {} finally { MARK }', false],
  ['try { try { MARK } finally {} } catch {}', true],
  ['try { const f = () => { MARK }; } catch {}', false],
  ['try { const f = () => { try { MARK } catch {} }; } finally {}', true],
  ['try { class A { static { MARK } } } catch {}', false],
  ['await 1;\nfor (const a of []) { try { MARK } catch (e) { throw e; } }', true],
  ['MARK', false],
  ['this is no code MARK', true],
])('whether %j is caught where it stands', (text, expected) => {
  const before = text.slice(0, text.indexOf('MARK')).split('\n');
  expect(isInTry(text.replace('MARK', 'f();'), before.length - 1, before.at(-1)!.length)).toBe(expected);
});
