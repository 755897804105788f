import { describe, expect, test } from 'vitest';
import { isDestructive, looksLikeCommand, parseShell, shellWords } from '../../src/writeup/shell-text.js';

describe('what is a command and what was printed', () => {
  test.each([
    'python fine-tuning.py --model_path x',
    'CUDA_VISIBLE_DEVICES=0 python x.py',
    'export N_GPUS=1',
    './run.sh',
    'arclab doctor',
    'for seed in 1 2 3; do',
    'time python x.py',
    'easy_inference_and_evaluation.py models/a --n 2',
    '(cd data && ls)',
    'sort -u names.txt',
    'tail log.txt',
    'cat << EOF',
    'find . -name "*.json"',
    '/usr/bin/env node x',
  ])('command: %s', (line) => {
    expect(looksLikeCommand(line)).toBe(true);
  });

  test.each([
    'accuracy: 5.4% correct_pixels: 69.4%',
    '/mnt/models/01/checkpoint-5000/inference_x032.json',
    '/mnt/models/01/checkpoint-5000 5.4%',
    'time: 12.3 s',
    'test loss is 0.4 after all',
    'for all tasks 5.4 %',
    'python: 3.12',
    '{"accuracy": 0.05}',
    '| a | b |',
    '100%|██████████| 400/400 [02:41<00:00]',
    'Loading the model',
    '(0.4 %)',
    'find the best temperature',
  ])('result: %s', (line) => {
    expect(looksLikeCommand(line)).toBe(false);
  });
});

test('commands keep their comments; continued lines, loops, quotes and here-documents stay whole', () => {
  const parts = parseShell(`# baseline
# with eight predictions
python inference.py \\
  --n 8 \\
  --text "two
lines"

# nothing belongs to this one

for seed in 1 2; do
  echo $seed
done
cat <<END > x.json
{"a": 1}
END
accuracy: 5.4%

correct_size: 80%
ls`);
  expect(parts).toEqual([
    {
      type: 'command',
      comments: ['# baseline', '# with eight predictions'],
      source: 'python inference.py \\\n  --n 8 \\\n  --text "two\nlines"',
    },
    { type: 'comment', source: '# nothing belongs to this one' },
    { type: 'command', comments: [], source: 'for seed in 1 2; do\n  echo $seed\ndone' },
    { type: 'command', comments: [], source: 'cat <<END > x.json\n{"a": 1}\nEND' },
    { type: 'result', source: 'accuracy: 5.4%\n\ncorrect_size: 80%' },
    { type: 'command', comments: [], source: 'ls' },
  ]);
});

test('where a block has prompts, only they begin commands', () => {
  expect(parseShell('$ arclab doctor\nnode 20\nls is not a command here\n(arc) $ ls\na.json')).toEqual([
    { type: 'command', comments: [], source: 'arclab doctor' },
    { type: 'result', source: 'node 20\nls is not a command here' },
    { type: 'command', comments: [], source: 'ls' },
    { type: 'result', source: 'a.json' },
  ]);
});

test('words lose their quotes and continued lines are joined', () => {
  expect(shellWords(`python x.py --a "b c" \\\n  --d='e"f' g\\ h "" "\\$x"`)).toEqual([
    'python',
    'x.py',
    '--a',
    'b c',
    '--d=e"f',
    'g h',
    '',
    '$x',
  ]);
});

test.each([
  ['rm -r models/01', true],
  ['ls && sudo rm x', true],
  ['bash -c "rm -rf x"', true],
  ['find . -name "*.pt" -delete', true],
  ['git reset --hard', true],
  ['rsync -a --delete a/ b/', true],
  ['arclab merge-lora --output_dir rm', false],
  ['python confirm.py --form x', false],
  ['git status', false],
  ['rsync -a a/ b/', false],
])('destructive? %s %s', (command, expected) => {
  expect(isDestructive(command)).toBe(expected);
});
