import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { packageRoot } from '../../src/common/files.js';
import { launch } from './launch.js';

/** Ten commands, in the words of the Python scripts, that a small model can follow. */
const writeup = `# Iteration 3. A small one

## Development

\`\`\`bash
arclab init-model --output_dir model --hidden_size 32 --num_layers 1
# tasks to learn from, and others to be measured on
arclab generate-tasks --output_path /mnt/train.json --count 8 --seed 1 --max_size 4
arclab generate-tasks --output_path /mnt/val.json --count 3 --seed 2 --max_size 4
export STEPS=2
python scripts/fine-tuning.py \\
  --model_path model \\
  --train_datasets /mnt/train.json output-from-examples-mini \\
  --val_dataset /mnt/val.json output-from-examples-mini \\
  --grid_encoder "MinimalGridEncoder()" \\
  --output_dir models/01 --max_steps $STEPS --eval_steps 2 --max_seq_len 512
python inference.py --model_path model --adapter_path models/01/checkpoint-2 --dataset_path /mnt/val.json \\
  --output_path a.json --predictions_per_task 2 --prompt_version output-from-examples-mini \\
  --grid_encoder "MinimalGridEncoder()" --max_output_tokens 20 --constrained
python evaluation.py a.json --dataset_path /mnt/val.json
python voting.py --input_path a_task_results.json --n 2
cd models
ls 01 | grep checkpoint
checkpoint-2
rm -r 01
\`\`\`
`;

const run = promisify(execFile);
let folder = '';
const arclab = (...args: string[]) =>
  run(process.execPath, [join(packageRoot(), 'dist/arclab.cjs'), ...args], { cwd: folder }).then(
    ({ stdout }) => stdout,
  );

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-writeup-'));
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(packageRoot(), join(folder, 'node_modules/arclab'));
  writeFileSync(join(folder, '03-small.md'), writeup);
  return () => rmSync(folder, { recursive: true });
});

test('a write-up with ten commands is imported, runs, is exported, and its rerun changes nothing', async () => {
  const imported = await arclab('writeup', 'import', '03-small.md', '--map', `/mnt=${folder}/data`);
  expect(imported).toContain('10 commands as cells, 1 pasted results kept as text');
  expect(imported).toContain('left as text, because it deletes files: rm -r 01');

  await arclab('run', '03-small.ipynb');
  // training is no error: nothing of it is red
  const finished = readFileSync(join(folder, '03-small.ipynb'), 'utf8');
  expect(finished).toContain('step 2/2 val_loss');
  expect(finished).not.toContain('"name": "stderr"');
  await arclab('writeup', 'export', '03-small.ipynb', '-o', 'exported.md');
  const exported = readFileSync(join(folder, 'exported.md'), 'utf8');
  expect(exported).toContain('# tasks to learn from, and others to be measured on\narclab generate-tasks');
  expect(exported).toMatch(/```text\naccuracy: 0\.0% correct_pixels: \d/);
  expect(exported).toContain('```text\ncheckpoint-2\n```');
  expect(readdirSync(join(folder, 'models'))).toEqual(['01']);

  // the files are there, so what is made anew is moved out of the way first
  rmSync(join(folder, 'model'), { recursive: true });
  rmSync(join(folder, 'models'), { recursive: true });
  rmSync(join(folder, 'a.json'));
  rmSync(join(folder, 'a_task_results.json'));
  expect(await arclab('writeup', 'check', '03-small.ipynb')).toMatch(
    /^nothing changed: [1-9]\d* numbers compared/m,
  );

  const notebook = readFileSync(join(folder, '03-small.ipynb'), 'utf8');
  writeFileSync(
    join(folder, 'other.ipynb'),
    notebook.replace(/correct_pixels: [\d.]+%/, 'correct_pixels: 99.9%'),
  );
  const changed = await arclab('writeup', 'check', 'other.ipynb', '--against', '03-small.ipynb').catch(
    (error: { code: number; stdout: string }) => error,
  );
  expect(changed).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/correct_pixels: 99\.9%.*correct_pixels: /),
  });
}, 180_000);

test('SIGTERM ends a check as Ctrl-C does, and says what it had', async () => {
  const begun = join(folder, 'begun');
  const path = join(folder, 'long.ipynb');
  const cells = [
    "console.log('loss 0.5')",
    `require('node:fs').writeFileSync(${JSON.stringify(begun)}, ''); await new Promise((done) => setTimeout(done, 600_000))`,
  ].map((source, i) => ({
    ...{ cell_type: 'code', id: `c${i}`, metadata: {}, source, execution_count: 1 },
    outputs: i === 0 ? [{ output_type: 'stream', name: 'stdout', text: 'loss 0.5\n' }] : [],
  }));
  const metadata = { kernelspec: { name: 'tslab', display_name: 'TypeScript', language: 'typescript' } };
  writeFileSync(path, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata, cells }));
  const { child, ended } = launch(['writeup', 'check', path]);
  while (!existsSync(begun)) await sleep(20);
  child.kill('SIGTERM');
  const { code, stdout } = await ended;
  expect(code).toBe(1);
  expect(stdout).toContain('1 numbers compared');
  expect(stdout).toMatch(/cell 2 failed: /);
  expect(existsSync(path)).toBe(true);
}, 60_000);

test('the script that measures imports says what they accept, and what of that would fail', async () => {
  const documents = join(folder, 'documents');
  mkdirSync(documents, { recursive: true });
  const evaluation = 'python evaluation.py a.json';
  const commands = ['ls', 'rm -r x', `${evaluation} --dataset_path b.json`, evaluation, `${evaluation} --no`];
  writeFileSync(join(documents, 'a.md'), `# A\n\n\`\`\`bash\n${commands.join('\n')}\naccuracy: 5%\n\`\`\`\n`);
  const script = join(packageRoot(), 'scripts/measure-writeups.mjs');
  const { stdout } = await run(process.execPath, [script, documents]);
  expect(stdout).toContain(
    [
      '1 documents, 1 of them given back by an export as they were',
      '5 commands, 3 accepted (60.0 %)',
      '3 calls of known scripts, 2 accepted (66.7 %)',
      'without those that are marked below: 2 accepted (40.0 %)',
      '1 pasted results kept as text, 0 lines lost',
    ].join('\n'),
  );
  expect(stdout).toContain('1 because it deletes files\n');
  expect(stdout).toContain('1 accepted commands are marked, because they name what is not there:\n');
});
