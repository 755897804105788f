import { describe, expect, test } from 'vitest';
import { looksLikeCommand, parseShell } from '../../src/writeup/shell-text.js';

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
    'unset CUDA_VISIBLE_DEVICES',
    'geoproject x us.json \\',
    'playwright-cli open',
    'bower install tslib@1.6.1',
    '[ -f a ] && ls',
    '[[ -f a ]] && ls',
    '((i++))',
    '. venv/bin/activate',
    '~/bin/foo',
    '$HOME/bin/foo x',
    '"$PYTHON" x.py',
    'touch a',
    'sort a.txt',
    'head -5 a',
    'watch nvidia-smi',
    'make',
    'make test',
    'wandb login',
    'reset; rm -r out; python run.py',
    'f() { ls; }',
    'function f {',
    '! grep -q x y',
    'A=1 B="2 3"',
    'lr=1e-4; python x.py',
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
    'n_jobs=-1, 114.21run/s]',
    'loss=0.53 accuracy=0.1',
    'loss=0.53',
    'make it work',
    'identical; all 3 tasks',
    '  0%|          | 0/100 [00:00<?, ?it/s]Detected flash_attn version: 2.6.3',
    'Traceback (most recent call last):',
    '  File "/mnt/scripts/fine-tuning.py", line 754, in <module>',
    'output = super().train(*args, **kwargs)',
    'trainer.train()',
    'config = AutoConfig.from_pretrained(model_path)',
    'ValueError: Batch does not contain any data',
    '50 splits, constant lr, 4h5',
    'val qwen2-0.5b/5 50split 2k_step_bs8 1e-4_lr_cte (halve batch size)',
    'qwen2-0.5b-instruct/5',
    'https://example.com/code?scriptVersionId=194795197',
    '80%       90%        95%',
    'checkpoint-5000',
    'total 128',
    '-rw-r--r-- 1 me me 1048 Aug 29 10:00 a.json',
    'drwxr-xr-x  2 me me 4096 Aug 29 10:00 models',
    'train.json: 400 tasks',
    'model.layers.0.q_proj.weight [896, 896]',
    'epoch 3: loss=0.5, acc=0.1',
    'vllm                      0.5.5                    pypi_0    pypi',
    'real\t2m41.123s',
    'step 10/100 loss 0.53 lr 1e-4',
    'INFO 08-29 10:00:00 llm_engine.py:174] Initializing an LLM engine',
    '2024-08-29 10:00:00,123 - INFO - Started logging',
    'best=0.53 at step 100',
    '(0, 1) 5',
    '[1] 12345',
    '> 0.5',
    'time 12.3 s',
    'test 0.5',
    'install took 5 s',
    'cut 3 samples',
    'sort: 5 ms',
  ])('result: %s', (line) => {
    expect(looksLikeCommand(line)).toBe(false);
  });
});

test('a name that is followed by an option in one line is a program in the others', () => {
  const types = (block: string) => parseShell(block).map(({ type }) => type);
  expect(types('cmake-ts build\ncmake-ts build --all')).toEqual(['command', 'command']);
  expect(types('cmake-ts build\nsaved build')).toEqual(['result']);
  expect(types('ls\ncheckpoint-2\nrm -r 01')).toEqual(['command', 'result', 'command']);
});

test('where every line has a > it is a prompt', () => {
  expect(parseShell('> npx degit a b\n> cd b').map((part) => part.source)).toEqual(['npx degit a b', 'cd b']);
  expect(parseShell('> 0.5\nls').map(({ type }) => type)).toEqual(['result', 'command']);
});

test('a variable with a small name is set where it is used', () => {
  expect(parseShell('lr=1e-4\npython x.py --learning_rate $lr').map(({ type }) => type)).toEqual([
    'command',
    'command',
  ]);
  expect(parseShell('loss=0.5\npython x.py').map(({ type }) => type)).toEqual(['result', 'command']);
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

test.each([
  '(arc) me@host:~/arc$ ls -l',
  'me@host:~$ ls -l',
  'root@1234:/# ls -l',
  '[me@host arc]$ ls -l',
  'me@host arc % ls -l',
  'bash-5.1$ ls -l',
  '$ ls -l',
])('what follows the prompt of a terminal is a command: %s', (line) => {
  expect(parseShell(`${line}\ntotal 0`)).toEqual([
    { type: 'command', comments: [], source: 'ls -l' },
    { type: 'result', source: 'total 0' },
  ]);
});

test('a prompt at which nothing was typed is nothing, and a comment typed at one is a comment', () => {
  expect(parseShell('$ # just a comment\n$\n$ ls')).toEqual([
    { type: 'command', comments: ['# just a comment'], source: 'ls' },
  ]);
});

test('what a shell asks for at a second prompt belongs to the command', () => {
  expect(parseShell('$ for i in 1 2; do\n> echo $i\n> done\n1\n2')).toEqual([
    { type: 'command', comments: [], source: 'for i in 1 2; do\necho $i\ndone' },
    { type: 'result', source: '1\n2' },
  ]);
});
