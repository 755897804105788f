import { expect, test } from 'vitest';
import { notRun } from '../../src/writeup/block-cells.js';
import { exportWriteup } from '../../src/writeup/export.js';
import { importWriteup } from '../../src/writeup/import.js';
import { type NotebookJson, sourceText } from '../../src/writeup/notebook-json.js';
import { writeup } from './fixture.js';

const paths = new Map([
  ['/mnt/disk/models', 'models'],
  ['/mnt/disk', 'disk'],
  ['/home/me/data', 'data'],
]);

function sources(notebook: NotebookJson, type: 'code' | 'markdown'): string[] {
  return notebook.cells.filter((cell) => cell.cell_type === type).map((cell) => sourceText(cell.source));
}

test('every command is a cell, scripts and paths are ours, comments stay', async () => {
  const { notebook, commands, left, results } = await importWriteup(writeup, { paths });
  expect(sources(notebook, 'code')).toEqual([
    "import { sh } from 'arclab';",
    '// the model of last week\nawait sh`arclab infer \\\n--model_path models/01/checkpoint-5000 \\\n--dataset_path data/val_rs7.json \\\n--output_path /tmp/a.json # the first`;',
    'await sh`mkdir -p results`;',
    'await sh`export SEED=7`;',
    'await sh`cd results`;',
    'await sh`for n in 1 2; do\n  echo "run $n of seed $SEED" > run-$n.txt\ndone`;',
    "await sh`pwd | sed 's|.*/||'`;",
    'await sh`arclab infer-evaluate "models/02/checkpoint-100" --predictions_per_task 8`;',
    'await sh`arclab fine-tune --output_dir models/03 --max_steps 10`;',
    'await sh`arclab merge-lora --model_path disk/base --adapter_path models/03 --output_dir disk/merged`;',
    'await sh`ls -1 run-1.txt run-2.txt`;',
    'await sh`echo "accuracy: 0.25 after 3.2 s"`;',
  ]);
  expect(commands).toBe(11);
  expect(left).toEqual([{ command: 'rm -r /mnt/disk/models/02', reason: 'it deletes files' }]);
  expect(results).toBe(1);
});

test('text stays as it is; results and what must not be repeated are text', async () => {
  const texts = sources((await importWriteup(writeup)).notebook, 'markdown');
  expect(texts[0]).toBe(
    '# Iteration 7. Does a longer prompt help?\n\n_03-09-2024_\n\n## Goal\n\n' +
      'Find out whether the long prompt is worth its tokens.\n\n## Development\n\n### Verify that inference did not change',
  );
  expect(texts[1]).toContain(
    'Some text with `inline code` and a table:\n\n| a | b |\n| --- | --- |\n| 1 | 2 |',
  );
  expect(texts[2]).toContain('```text\naccuracy: 5.4% correct_pixels: 69.4% unanswered: 1.0%\n```');
  expect(texts[2]).toContain(
    `${notRun('it deletes files')}\n\n\`\`\`bash\nrm -r /mnt/disk/models/02\n\`\`\``,
  );
  expect(texts[3]).toContain("```python\nprint('not ours to run')\n```");
  expect(texts.join()).not.toContain('<details>');
});

test('a command that a template cannot hold is a string, and comes back as it was', async () => {
  const command = 'echo `date` "$' + '{HOME}" \\\n  $x';
  const document = `\`\`\`bash\n${command}\n\`\`\`\n`;
  const { notebook } = await importWriteup(document);
  expect(sources(notebook, 'code')[1]).toBe(`await sh(${JSON.stringify(command)});`);
  expect((await exportWriteup(notebook, { name: 'x' })).markdown).toBe(document);
});

test('outputs become text, tables and picture files', async () => {
  const png = Buffer.from('not really a picture');
  const notebook: NotebookJson = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      {
        cell_type: 'code',
        id: 'a',
        metadata: {},
        source: ['const a = 1;\n', 'a'],
        execution_count: 1,
        outputs: [
          {
            output_type: 'stream',
            name: 'stdout',
            text: ['10 %\r50 %\r100 %\n', '\u001b[32mdone\u001b[39m\n'],
          },
          {
            output_type: 'display_data',
            metadata: {},
            data: { 'image/png': png.toString('base64'), 'text/plain': 'x' },
          },
          {
            output_type: 'display_data',
            metadata: {},
            data: {
              'text/html':
                '<table><tr><th>a</th><th>b &amp; c</th></tr><tr><td>1</td><td><b>2|3</b></td></tr></table>',
            },
          },
          {
            output_type: 'display_data',
            metadata: {},
            data: { 'text/html': '<div><svg viewBox="0 0 1 1"></svg></div>' },
          },
          {
            output_type: 'execute_result',
            metadata: {},
            execution_count: 1,
            data: { 'text/plain': '{ a: 1 }' },
          },
          { output_type: 'error', ename: 'TypeError', evalue: 'no', traceback: [] },
        ],
      },
    ],
  };
  const { markdown, files } = await exportWriteup(notebook, { name: '07 long' });
  expect(markdown).toBe(`\`\`\`ts
const a = 1;
a
\`\`\`

\`\`\`text
100 %
done
\`\`\`

![](07%20long_files/cell-1-2.png)

| a | b & c |
| --- | --- |
| 1 | 2\\|3 |

![](07%20long_files/cell-1-4-1.svg)

\`\`\`text
{ a: 1 }
\`\`\`

\`\`\`text
TypeError: no
\`\`\`
`);
  expect([...files]).toEqual([
    ['07 long_files/cell-1-2.png', png],
    ['07 long_files/cell-1-4-1.svg', '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'],
  ]);
});

test('TypeScript is a cell, and words after the language are its tags', async () => {
  const document = '```ts parameters\nlet a = 1;\n```\n\nThen:\n\n```ts\na + 1\n```\n';
  const { notebook } = await importWriteup(document);
  expect(notebook.cells.map((cell) => cell.metadata.tags)).toEqual([['parameters'], undefined, undefined]);
  expect((await exportWriteup(notebook, { name: 'x' })).markdown).toBe(document);
});

test('pictures attached to text become files, whatever their names are', async () => {
  const png = Buffer.from('not really a picture');
  const notebook: NotebookJson = {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      {
        cell_type: 'markdown',
        id: 'a',
        metadata: {},
        source:
          '![one](attachment:image.png) ![two](attachment:a%20b.svg) <img src="attachment:../../x">![](attachment:none.png)',
        attachments: {
          'image.png': { 'image/png': png.toString('base64') },
          'a b.svg': { 'image/svg+xml': ['<svg>', '</svg>'] },
          '../../x': { 'image/jpeg': png.toString('base64') },
        },
      },
    ],
  };
  const { markdown, files } = await exportWriteup(notebook, { name: 'n' });
  expect(markdown).toBe(
    '![one](n_files/cell-1-1-image.png) ![two](n_files/cell-1-2-a-b.svg) <img src="n_files/cell-1-3-x.jpeg">![](attachment:none.png)\n',
  );
  expect([...files]).toEqual([
    ['n_files/cell-1-1-image.png', png],
    ['n_files/cell-1-2-a-b.svg', '<svg></svg>'],
    ['n_files/cell-1-3-x.jpeg', png],
  ]);
});

test('lines that set variables one after the other are one cell, and line breaks inside a command stay', async () => {
  const block = ['export A=1', 'export B=2', 'unset A', 'ls \\\n  -l', 'export C=3'].join('\n');
  const { notebook } = await importWriteup(`\`\`\`bash\n${block}\n\`\`\`\n`);
  expect(sources(notebook, 'code').slice(1)).toEqual([
    'await sh`export A=1\nexport B=2\nunset A`;',
    'await sh`ls \\\n  -l`;',
    'await sh`export C=3`;',
  ]);
});

test('a cell that the document says should fail may fail', async () => {
  const document = [
    '```bash\n# this should break because there is no v2\nnode a.js\nnode b.js # must fail\n# this should not fail\nnode c.js\n```',
    'The next one will crash:\n\n```bash\nnode d.js\n```',
    'It should work.\n\n```bash\nnode e.js\n```',
  ].join('\n\n');
  const { notebook } = await importWriteup(document);
  const tagged = notebook.cells.filter(({ metadata }) => metadata.tags?.includes('raises-exception'));
  expect(tagged.map(({ source }) => /(\w)\.js/.exec(sourceText(source))![1])).toEqual(['a', 'b', 'd']);
});
