/** Tables of HTML as browsers read them: with entities, comments, tags that are left out, and tables in cells. */
import { describe, expect, it } from 'vitest';
import { htmlText, tableRows, textTableOf } from '../../src/writeup/html-table.js';

describe('the text of HTML', () => {
  it.each([
    ['a <b>b</b>\n c<br>d', 'a b c d'],
    ['5 &lt; 6 &amp;&amp; x&nbsp;y', '5 < 6 && x y'],
    ['it&#x27;s, &#39;it&#39;, &eacute; &hellip;', "it's, 'it', é …"],
    ['<style>td { color: red }</style>kept<script>const a = "<td>";</script>', 'kept'],
    ['<i title="a > b">c</i> <!-- <b>d</b> -->e', 'c e'],
  ])('%s', (html, text) => {
    expect(htmlText(html)).toBe(text);
  });
});

describe('the rows of tables', () => {
  it.each([
    [
      '<table><tr><th>a<th>b<tr><td>1<td>2</table>',
      [
        ['a', 'b'],
        ['1', '2'],
      ],
    ],
    ['<table><!-- <tr><td>no</td></tr> --><tr><td title="x > y">yes</td></tr></table>', [['yes']]],
    ['<table><tr><td>1</td><td></td></tr></table>', [['1', '']]],
    [
      '<table><tr><td>out<table><tr><td>in</td></tr></table>er</td><td>z</td></tr></table>',
      [['outer', 'z'], ['in']],
    ],
    ['no table', []],
  ])('%s', (html, rows) => {
    expect(tableRows(html)).toEqual(rows);
  });
});

describe('a table of Markdown', () => {
  it('is made of HTML that is one table', () => {
    const html =
      '<style>x</style> <table><thead><tr><th>a|b</th></tr></thead><tbody><tr><td>1 &lt; 2</td></tr></table>';
    expect(textTableOf(html)).toBe('| a\\|b |\n| --- |\n| 1 < 2 |');
  });

  it.each([
    '<p>text</p><table><tr><td>1</td></tr></table>',
    '<table><tr><td>1</td></tr></table><table><tr><td>2</td></tr></table>',
    '<table></table>',
    'text',
  ])('is not made of %s', (html) => {
    expect(textTableOf(html)).toBeUndefined();
  });
});
