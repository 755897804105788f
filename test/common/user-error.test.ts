import { expect, test } from 'vitest';
import { UserError } from '../../src/common/errors.js';

test('a message is one line, whatever it quotes', () => {
  expect(new UserError(' a\n  b\r\nc ').message).toBe('a b c');
});

test('a long name loses its middle, and the message keeps its beginning and its end', () => {
  const { message } = new UserError(`model/x.json: unknown type "${'q'.repeat(40_000)}". Known: a, b`);
  expect(message).toMatch(/^model\/x\.json: unknown type "q+…\(\d+ characters\)…q+"\. Known: a, b$/);
  expect(message.length).toBeLessThan(300);
  // a path of any usual length stays whole
  const path = `/${'folder/'.repeat(40)}file.json`;
  expect(new UserError(`${path}: no such file`).message).toBe(`${path}: no such file`);
});

test('a message of many words is cut as well', () => {
  const { message } = new UserError(`names: ${'name '.repeat(10_000)}; give one of them`);
  expect(message).toMatch(/^names: name .*characters\)….*; give one of them$/);
  expect(message.length).toBeLessThan(1050);
});
