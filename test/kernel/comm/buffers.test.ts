import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { putBuffers, takeBuffers } from '../../../kernel/comm/buffers.js';

const bytes = fc.uint8Array({ maxLength: 4 });
const { state } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), bytes, tie('list'), tie('state')),
  list: fc.array(tie('value'), { maxLength: 3 }),
  state: fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
}));

test('a state goes through JSON and buffers and is the same', () => {
  fc.assert(
    fc.property(state as fc.Arbitrary<Record<string, unknown>>, (given) => {
      const { state, paths, buffers } = takeBuffers(given);
      const sent = JSON.parse(JSON.stringify(state));
      const problem = putBuffers(sent, paths, buffers as Uint8Array[]);
      // JSON has no -0, and fast-check makes objects without a prototype
      const plain = (value: unknown): unknown =>
        value instanceof Uint8Array
          ? value
          : Array.isArray(value)
            ? value.map(plain)
            : typeof value === 'object' && value !== null
              ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
              : Object.is(value, -0)
                ? 0
                : value;
      return problem === undefined && isDeepStrictEqual(plain(sent), plain(given));
    }),
  );
});

test('as ipywidgets separates them', () => {
  const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
  const given = { x: { ar: a }, y: { shape: [10, 10], data: b }, list: [c, 5] };
  expect(takeBuffers(given)).toEqual({
    state: { x: {}, y: { shape: [10, 10] }, list: [null, 5] },
    paths: [
      ['x', 'ar'],
      ['y', 'data'],
      ['list', 0],
    ],
    buffers: [a, b, c],
  });
  expect(given.list[0]).toBe(c);
});

test.each([
  [5, 'its buffer_paths are no array'],
  [[], 'it has 1 buffers, and places for 0'],
  [[[]], 'no place []'],
  [['x'], 'no place "x"'],
  [[['nowhere', 'y']], 'no place ["nowhere","y"]'],
  [[['list', 2]], 'no place ["list",2]'],
  [[['list', 'push']], 'no place ["list","push"]'],
  [[['__proto__', 'polluted']], 'no place ["__proto__","polluted"]'],
  [[['constructor', 'prototype', 'polluted']], 'no place'],
  [[[{}]], 'no place [{}]'],
])('paths that lead nowhere are told: %j', (paths, problem) => {
  const state = { list: [1, 2] };
  expect(putBuffers(state, paths, [Uint8Array.of(1)])).toContain(problem);
  expect(state).toEqual({ list: [1, 2] });
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});
