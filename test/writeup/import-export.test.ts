import { expect, test } from 'vitest';
import { exportWriteup } from '../../src/writeup/export.js';
import { importWriteup, NOT_RUN } from '../../src/writeup/import.js';
import { type NotebookJson, textOf } from '../../src/writeup/notebook-json.js';
import { writeup } from './fixture.js';

const paths = new Map([
  ['/mnt/disk/models', 'models'],
  ['/mnt/disk', 'disk'],
  ['/home/me/data', 'data'],
]);

function sources(notebook: NotebookJson, type: 'code' | 'markdown'): string[] {
  return notebook.cells.filter((cell) => cell.cell_type === type).map((cell) => textOf(cell.source));
}

test('every command is a cell, scripts and paths are ours, comments stay', () => {
  const { notebook, commands, destructive, results } = importWriteup(writeup, { paths });
  expect(sources(notebook, 'code')).toEqual([
    "import { sh } from 'arclab';",
    '// the model of last week\nawait sh`arclab infer \\\n--model_path models/01/checkpoint-5000 \\\n--dataset_path data/val_rs7.json \\\n--output_filepath /tmp/a.json # the first`;',
    'await sh`mkdir -p results`;',
    'await sh`export SEED=7`;',
    'await sh`cd results`;',
    'await sh`for n in 1 2; do\n  echo "run $n of seed $SEED" | tee run-$n.txt\ndone`;',
    "await sh`pwd | sed 's|.*/||'`;",
    'await sh`arclab infer-evaluate "models/02/checkpoint-100" --predictions_per_task 8`;',
    'await sh`arclab fine-tune --output_dir models/03 --max_steps 10`;',
    'await sh`arclab merge-lora --model_path disk/base --adapter_path models/03 --output_dir disk/merged`;',
    'await sh`ls -1 run-1.txt run-2.txt`;',
    'await sh`echo "accuracy: 0.25 after 3.2 s"`;',
  ]);
  expect(commands).toBe(11);
  expect(destructive).toEqual(['rm -r /mnt/disk/models/02']);
  expect(results).toBe(1);
});

test('text stays as it is; results and what must not be repeated are text', () => {
  const texts = sources(importWriteup(writeup).notebook, 'markdown');
  expect(texts[0]).toBe(
    '# Iteration 7. Does a longer prompt help?\n\n_03-09-2024_\n\n## Goal\n\n' +
      'Find out whether the long prompt is worth its tokens.\n\n## Development\n\n### Verify that inference did not change',
  );
  expect(texts[1]).toContain(
    'Some text with `inline code` and a table:\n\n| a | b |\n| --- | --- |\n| 1 | 2 |',
  );
  expect(texts[2]).toContain('```text\naccuracy: 5.4% correct_pixels: 69.4% unanswered: 1.0%\n```');
  expect(texts[2]).toContain(`${NOT_RUN}\n\n\`\`\`bash\nrm -r /mnt/disk/models/02\n\`\`\``);
  expect(texts[2]).toContain("```python\nprint('not ours to run')\n```");
  expect(texts.join()).not.toContain('<details>');
});

test('what was exported imports to the same notebook, and exports to the same document', async () => {
  const { notebook } = importWriteup(writeup, { paths });
  const { markdown } = await exportWriteup(notebook, { name: 'x' });
  expect(markdown).toContain(
    '<details>\n<summary>Click to see the commands</summary>\n\n```bash\n# the model of last week',
  );
  const again = importWriteup(markdown).notebook;
  const content = (cells: NotebookJson['cells']) =>
    cells.map((cell) => [cell.cell_type, textOf(cell.source)]);
  expect(content(again.cells)).toEqual(content(notebook.cells));
  expect((await exportWriteup(again, { name: 'x' })).markdown).toBe(markdown);
});

test('a command that a template cannot hold is a string, and comes back as it was', async () => {
  const command = 'echo `date` "$' + '{HOME}" \\\n  $x';
  const document = `\`\`\`bash\n${command}\n\`\`\`\n`;
  const { notebook } = importWriteup(document);
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
  const { notebook } = importWriteup(document);
  expect(notebook.cells.map((cell) => cell.metadata.tags)).toEqual([['parameters'], undefined, undefined]);
  expect((await exportWriteup(notebook, { name: 'x' })).markdown).toBe(document);
});
