import { inspect } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  JUPYTER_DISPLAY,
  showGrid,
  showPredictions,
  showTable,
  showTask,
} from '../../src/display/displayable.js';
import { htmlTable, textTable } from '../../src/display/tables.js';
import { gridText, sideBySide } from '../../src/display/terminal.js';
import { assertWellFormed } from './xml.js';

describe('a grid in a terminal', () => {
  const grid = [
    [0, 1],
    [2, 9],
  ];

  test('is 24-bit blocks on a terminal', () => {
    const text = gridText(grid, { target: { isTTY: true }, env: {} });
    const block = (color: string) => `\x1b[48;2;${color}m  `;
    expect(text).toBe(
      `${block('0;0;0')}${block('0;116;217')}\x1b[0m\n${block('255;65;54')}${block('135;12;37')}\x1b[0m`,
    );
  });

  test('is digits in a pipe and where colours are not wanted', () => {
    expect(gridText(grid, { target: {}, env: {} })).toBe('0 1\n2 9');
    expect(gridText(grid, { target: { isTTY: true }, env: { NO_COLOR: '1' } })).toBe('0 1\n2 9');
  });

  test('is blocks in a pipe where somebody asks for colours', () => {
    expect(gridText(grid, { target: {}, env: { FORCE_COLOR: '1' } })).toContain('\x1b[48;2;0;0;0m');
    expect(gridText(grid, { target: {}, env: { FORCE_COLOR: '0', CI: 'true' } })).toBe('0 1\n2 9');
    expect(gridText(grid, { target: {}, env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).toBe('0 1\n2 9');
  });

  test('blocks stand beside each other whatever their colours', () => {
    const colored = gridText(grid, { target: { isTTY: true }, env: {} });
    const lines = sideBySide([colored, 'x'], '|').split('\n');
    expect(lines[0]!.endsWith('\x1b[0m|x')).toBe(true);
    expect(sideBySide(['1 2\n3 4', '5'], '  ')).toBe('1 2  5\n3 4');
  });
});

describe('tables', () => {
  const rows = [
    { file: 'a.json', accuracy: 0.5, tasks: 12 },
    { file: 'longer.json', accuracy: 0.12345, tasks: 3, note: 'é<b>' },
  ];

  test('align text to the left and numbers to the right', () => {
    expect(textTable(rows)).toBe(
      [
        'file         accuracy  tasks  note',
        '-----------  --------  -----  ----',
        'a.json          0.500     12',
        'longer.json     0.123      3  é<b>',
      ].join('\n'),
    );
    expect(textTable([])).toBe('\n');
  });

  test('leaves out the middle of what is wider than asked for', () => {
    const rows = [{ path: 'models/01/checkpoint-1000', aVeryLongColumn: 1 }];
    expect(textTable(rows, { maxWidth: 9 }).split('\n')).toEqual([
      'path       aVer…lumn',
      '---------  ---------',
      'mode…1000          1',
    ]);
    expect(textTable(rows, { maxWidth: 25 })).toBe(textTable(rows));
  });

  test('a column has one number of decimals', () => {
    const lines = textTable([{ pass_n: 1, tasks: 3 }, { pass_n: 0.25, tasks: 10 }, { pass_n: null }]); // biome-ignore format: short
    expect(lines.split('\n').slice(2)).toEqual([' 1.000      3', ' 0.250     10', '']);
  });

  test('decimals and percents are chosen by column', () => {
    const costs = [{ tokens: 824.52, fits: 1 }, { tokens: 1102, fits: 0.125 }]; // biome-ignore format: short
    const options = { decimals: { tokens: 1 }, percent: ['fits'] };
    const lines = textTable(costs, options).split('\n');
    expect(lines.slice(2)).toEqual([' 824.5  100.0%', '1102.0   12.5%']);
    expect(textTable([{ fits: null }], options)).toBe('fits\n----\n');
    expect(htmlTable(costs, { ...options, decimals: { fits: 0 } })).toContain('<td class="n">13%</td>');
  });

  test('escape what HTML would read', () => {
    const html = htmlTable(rows, { caption: 'a & b' });
    assertWellFormed(html);
    expect(html).toContain('<td>é&lt;b&gt;</td>');
    expect(html).toContain('<caption>a &amp; b</caption>');
  });
});

describe('in a notebook', () => {
  afterEach(() => vi.unstubAllGlobals());
  const grid = [[3]];

  test('a kernel that asks gets a MIME bundle, a terminal gets text', () => {
    const shown = showGrid(grid);
    const bundle = shown[JUPYTER_DISPLAY]();
    expect(Object.keys(bundle)).toEqual(['image/svg+xml', 'text/plain']);
    expect(bundle['image/svg+xml']).toMatch(/^<svg /);
    expect(inspect(shown)).toBe('3');
    expect(Symbol.keyFor(JUPYTER_DISPLAY)).toBe('Jupyter.display');
  });

  test('stock tslab, which only prints, shows the picture instead of the text', () => {
    const raw = vi.fn();
    vi.stubGlobal('__tslab__', { require: (id: string) => (id === 'tslab' ? { display: { raw } } : {}) });
    expect(inspect(showGrid(grid))).toBe('');
    expect(raw).toHaveBeenCalledWith('image/svg+xml', expect.stringMatching(/^<svg /));
    showTable([{ a: 1 }]).show();
    expect(raw).toHaveBeenLastCalledWith('text/html', expect.stringMatching(/^<table>/));
  });

  test('a broken host falls back to text', () => {
    vi.stubGlobal('__tslab__', { require: () => { throw new Error('no'); } }); // biome-ignore format: short
    expect(inspect(showGrid(grid))).toBe('3');
  });

  test('tasks and predictions have a text too', () => {
    const task = { train: [{ input: grid, output: [[4, 4]] }], test: [{ input: grid }] };
    expect(showTask(task).text).toBe('3   ->   4 4\n\n3   ->   ?');
    const candidates = [{ grid: [[5]], votes: 2, meanLogProb: 0 }];
    expect(showPredictions({ input: grid, candidates }).text).toBe('3   5');
  });
});
