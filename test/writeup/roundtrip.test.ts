import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exportWriteup } from '../../src/writeup/export.js';
import { importWriteup } from '../../src/writeup/import.js';
import { type NotebookJson, sourceText } from '../../src/writeup/notebook-json.js';
import { writeup } from './fixture.js';

const documents: Readonly<Record<string, string>> = {
  'a write-up with everything': writeup,
  'nothing but text': '# Title\n\nText\n',
  'no end of the last line': '# Title\n\n```bash\nls\n```',
  'blank lines before, between and after': '\n\n# Title\n```bash\nls\n```\n\n\n\nText\n\n\n',
  'nothing at all': '',
  'lines that end as on Windows': 'Some\r\n\r\n```bash\r\nls \\\r\n  -l\r\n```\r\n',
  'lines that end in both ways': 'A\r\n\nB\r\n\r\n```bash\r\nls\npwd\r\n```\r\n\nC\r\n',
  'tildes, attributes, other names of bash, code without a name':
    'x\n\n~~~bash\nls\n~~~\n\n```bash title="a.sh"\nls -l\n```\n\n``` {.bash .numberLines}\nls -a\n```\n\n' +
    '```shell-session\n$ ls\nfile\n```\n\n    python indented.py\n\n```\npython untagged.py --x 1\n```\n',
  'front matter and a block in a list':
    '---\ntitle: a\nlayout: post\n---\n\n# T\n\n1. one\n\n   ```bash\n   python inference.py \\\n     --n 1\n   ```\n\n2. two\n',
  'a block between two lines of a list, HTML, mathematics, a footnote':
    '<img src="../res/a.png" width="300">\n\n| a | b |\n|---|---|\n| `x|y` | $a_i$ |\n\n$$\n\\sum_i x_i\n$$\n\n' +
    '- [ ] todo\n  - nested\n    ```bash\n    ls\n    ls -l\n    ```\n  - after\n\nFootnote[^1].\n\n[^1]: note\n',
  'details around a block and around more':
    '<details>\n  <summary>Click</summary>\n\n```bash\nls\n```\n\n</details>\n\n<details>\n<summary>b</summary>\n\n' +
    'text inside\n\n```bash\nls\n```\n\nmore inside\n\n</details>\n',
  'details around commands, results and what is not run':
    '<details>\n<summary>all</summary>\n\n```bash\nrm -r out/x; python inference.py --model_path m\n# results\n' +
    'accuracy: 3.2%\npython evaluation.py out.json\n```\n\n</details>\n',
  'variables, a comment and a continued line': '```bash\nexport A=1\nexport B=2\n# c\nls $A \\\n  -l\n```\n',
  'prompts with nothing at them': '```bash\n$ # just a comment\n$\n$ ls\n```\n',
  'a block of results': 'Text\n\n```bash\nn_jobs=-1, 114.21run/s]\naccuracy: 5%\n```\n\nMore\n',
  'a block in a quotation': '> Text\n>\n> ```bash\n> ls\n> ```\n',
  'TypeScript with tags and a title': '```ts parameters title="x"\nlet a = 1;\n```\n\n````ts\n// ```\n````\n',
  'an empty block, and one that is never closed': '```bash\n```\n\n```ts\n```\n\n```bash\nls\n',
};

const content = (notebook: NotebookJson) =>
  notebook.cells.map((cell) => [cell.cell_type, sourceText(cell.source)]);

describe('where nothing ran, an export gives the document back', () => {
  test.each(Object.entries(documents))('%s', async (_, document) => {
    const { notebook } = await importWriteup(document);
    expect((await exportWriteup(notebook, { name: 'x' })).markdown).toBe(document);
  });

  test.each(Object.entries(documents))('and no cell is empty: %s', async (_, document) => {
    const { notebook } = await importWriteup(document);
    expect(notebook.cells.filter(({ source }) => sourceText(source).trim() === '')).toEqual([]);
  });
});

describe('where cells ran, the form of their block stays', () => {
  /** A document whose commands all have printed something. */
  async function ran(document: string): Promise<string> {
    const { notebook } = await importWriteup(document);
    for (const cell of notebook.cells) {
      if (cell.cell_type === 'code' && !cell.metadata.arclab?.setup) {
        cell.outputs = [{ output_type: 'stream', name: 'stdout', text: 'printed\n' }];
      }
    }
    return (await exportWriteup(notebook, { name: 'x' })).markdown;
  }

  test.each([
    ['~~~bash\nls\n~~~\n', '~~~bash\nls\n~~~\n\n```text\nprinted\n```\n'],
    ['```bash title="a.sh"\nls\n```\n', '```bash title="a.sh"\nls\n```\n\n```text\nprinted\n```\n'],
    ['```console\n$ ls\n```\n', '```console\n$ ls\n```\n\n```text\nprinted\n```\n'],
    ['- a\n\n  ```bash\n  ls\n  ```\n', '- a\n\n  ```bash\n  ls\n  ```\n\n  ```text\n  printed\n  ```\n'],
    [
      'A\r\n\r\n```bash\r\nls\r\n```\r\n',
      'A\r\n\r\n```bash\r\nls\r\n```\r\n\r\n```text\r\nprinted\r\n```\r\n',
    ],
    [
      '```bash\npython inference.py \\\n  --max_model_len 5\n```\n',
      '```bash\narclab infer \\\n  --max_seq_len 5\n```\n\n```text\nprinted\n```\n',
    ],
  ])('%j', async (document, expected) => {
    expect(await ran(document)).toBe(expected);
  });

  test('details stay around what was in them', async () => {
    const markdown = await ran(documents['details around commands, results and what is not run']!);
    expect(markdown.match(/<details>/g)).toHaveLength(1);
    expect(markdown.match(/<\/details>/g)).toHaveLength(1);
    expect(markdown.startsWith('<details>\n<summary>all</summary>\n\n')).toBe(true);
    expect(markdown.endsWith('\n\n</details>\n')).toBe(true);
    for (const text of ['rm -r out/x', 'arclab infer', 'accuracy: 3.2%', 'arclab evaluate', 'printed']) {
      expect(markdown).toContain(text);
    }
  });

  test.each(Object.entries(documents))('and it imports to the same commands: %s', async (_, document) => {
    const commands = (notebook: NotebookJson) => content(notebook).filter(([type]) => type === 'code');
    const first = await importWriteup(document);
    const again = await importWriteup(await ran(document));
    expect(commands(again.notebook)).toEqual(commands(first.notebook));
    expect(again.left).toEqual(first.left);
    const texts = content(again.notebook).join('\n');
    expect(texts.match(/Not run with this notebook/g)?.length ?? 0).toBe(
      content(first.notebook)
        .join('\n')
        .match(/Not run with this notebook/g)?.length ?? 0,
    );
  });
});

test('a block whose cells were edited is written from its cells', async () => {
  const { notebook } = await importWriteup('~~~bash\npython inference.py\n~~~\n');
  const cell = notebook.cells.find(
    ({ cell_type, metadata }) => cell_type === 'code' && !metadata.arclab?.setup,
  )!;
  cell.source = 'await sh`arclab infer --seed 3`;';
  expect((await exportWriteup(notebook, { name: 'x' })).markdown).toBe(
    '~~~bash\narclab infer --seed 3\n~~~\n',
  );
});

test('whatever a document is put together of, it is given back', async () => {
  const pieces = fc.constantFrom(
    ...[
      '\n',
      '\n\n',
      ' ',
      '\t',
      '\r\n',
      '# T',
      'text',
      '- a',
      '  ',
      '    ',
      '> ',
      '<details>',
      '</details>',
      '<summary>s</summary>',
    ],
    ...[
      '```bash',
      '```',
      '~~~',
      '~~~sh',
      '````',
      '```ts',
      '```console',
      'ls',
      '$ ls',
      'rm x; ls',
      '# c',
      'loss 0.5',
      'export A=1',
      '|a|',
    ],
  );
  await fc.assert(
    fc.asyncProperty(fc.array(pieces, { maxLength: 25 }), async (parts) => {
      const document = parts.join('\n');
      const { notebook } = await importWriteup(document);
      expect((await exportWriteup(notebook, { name: 'x' })).markdown).toBe(document);
    }),
    { numRuns: 300 },
  );
}, 60_000);
