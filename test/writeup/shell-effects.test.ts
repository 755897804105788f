import { beforeAll, describe, expect, test } from 'vitest';
import { effectOf } from '../../src/writeup/shell-effects.js';
import { type ShellTree, shellGrammar } from '../../src/writeup/shell-grammar.js';
import { pruneShell } from '../../src/writeup/shell-prune.js';

let parse: (source: string) => ShellTree;
beforeAll(async () => {
  parse = await shellGrammar();
});
const context = () => ({ parse, exists: (path: string) => path === 'there.txt' });
const effect = (source: string) => effectOf(parse(source).root, context());

describe('what must not be repeated', () => {
  test.each([
    'rm -r models/01',
    'ls && sudo rm x',
    'sudo -u me rm x',
    'bash -c "rm -rf x"',
    'docker run -v /:/x img bash -c "rm -rf /x"',
    'eval "rm x"',
    'echo $(rm x)',
    'find . -name "*.pt" -delete',
    'find . -name "*.pt" -exec rm {} +',
    'ls | xargs rm',
    'if true; then rm x; fi',
    'f() { rm x; }',
    '! rm x',
    '/bin/rm x',
    'timeout 5 rm x',
    'FOO=1 rm x',
    'git reset --hard',
    'git checkout -f',
    'git checkout -- src',
    'git branch -D old',
    'git push',
    'rsync -a --delete a/ b/',
    'rsync -a a/ me@host:b/',
    'docker push me/img',
    'docker system prune -f',
    'docker rmi img',
    'aws s3 rm s3://a/b --recursive',
    'aws s3 cp a s3://a/b',
    'pip uninstall -y x',
    'python -m pip uninstall x',
    'conda env remove -n x',
    'crontab -r',
    'scp a me@host:b',
    'ssh host ls',
    'cp -f a b',
    'cp -rf a b',
    'tee a.json < /dev/null',
    'echo x > there.txt',
    'cat <<E > there.txt\nx\nE',
    'while true; do date; sleep 1h; done',
    'while :; do date; done',
    'until false; do date; done',
    'for ((;;)); do date; done',
    'tail -f log.txt',
    'killall python',
    'curl -X DELETE http://host/x',
    'kaggle competitions submit -f a.csv',
  ])('%s', (source) => {
    expect(effect(source)).toMatch(/^it /);
  });

  test.each([
    'arclab merge-lora --output_dir rm',
    'python confirm.py --form x',
    'echo "rm -rf x"',
    "grep 'git push' log.txt",
    'git status',
    'git checkout main',
    'git branch',
    'rsync -a a/ b/',
    'rsync -a me@host:a/ b/',
    'cp a b',
    'tee -a log.txt',
    'echo x > new.txt',
    'echo x >> there.txt',
    'python x.py > /dev/null 2>&1',
    'while read x; do echo $x; done',
    'for ((i=0; i<3; i++)); do echo $i; done',
    'pip install x',
    'docker run --rm img ls',
    'docker build -t rm .',
    'tail -n 3 log.txt',
    'curl -O http://host/x',
    'ls # rm x',
    'cat <<E\nrm x\nE',
  ])('but not: %s', (source) => {
    expect(effect(source)).toBeUndefined();
  });
});

describe('what is left', () => {
  test.each([
    ['reset; rm -r out; python run.py --n 1', 'reset; python run.py --n 1', ['rm -r out']],
    ['rm -r out && python run.py', 'python run.py', ['rm -r out']],
    ['python run.py && rm -r out', 'python run.py', ['rm -r out']],
    ['cd a && rm -r out && python run.py', 'cd a && python run.py', ['rm -r out']],
    ['python run.py | tee log.txt', 'python run.py', ['| tee log.txt']],
    ['python run.py 2>&1 | tee log.txt | grep x', 'python run.py 2>&1 | grep x', ['| tee log.txt']],
    [
      'for i in 1 2; do\n  rm -r out\n  python run.py $i\ndone',
      'for i in 1 2; do\n  python run.py $i\ndone',
      ['rm -r out'],
    ],
    ['python run.py; rm a; rm b', 'python run.py', ['rm a', 'rm b']],
    ['rm a; rm b', '', ['rm a; rm b']],
    ['rm a || true', '', ['rm a || true']],
    ['ls | xargs rm', '', ['ls | xargs rm']],
    ['while true; do ls; done', '', ['while true; do ls; done']],
    ['while true; do rm a; ls; done', '', ['while true; do rm a; ls; done']],
    ['python \\\n  run.py', 'python \\\n  run.py', []],
  ])('%j', (source, left, removed) => {
    const pruned = pruneShell(source, context());
    expect(pruned.source).toBe(left);
    expect(pruned.removed.map(({ text }) => text)).toEqual(removed);
    expect(effect(pruned.source)).toBeUndefined();
  });
});
