import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { saveDataset } from '../../src/arc/dataset.js';
import type { CommandFile } from '../../src/cli/command.js';
import compare from '../../src/cli/commands/compare.js';
import evaluate from '../../src/cli/commands/evaluate.js';
import joinFiles from '../../src/cli/commands/join.js';
import vote from '../../src/cli/commands/vote.js';
import { declareCommand, optionsOf, typedOptions } from '../../src/cli/flags.js';
import { saveResults } from '../../src/evaluation/files.js';
import { validateSubmission } from '../../src/evaluation/submission.js';
import { A, B0, B1, prediction, TASKS } from './example.js';

let folder: string;
let output: string;
const file = (name: string) => join(folder, name);

/** Runs a command as the program does and returns what it prints. */
async function arclab(commandFile: CommandFile, ...args: string[]): Promise<string> {
  output = '';
  const command = new Command('test').exitOverride();
  declareCommand(command, commandFile);
  command.action((...parameters) =>
    commandFile.run(
      parameters
        .slice(0, -2)
        .flat()
        .filter((value) => value !== undefined),
      optionsOf(commandFile, typedOptions(command, commandFile)),
    ),
  );
  await command.parseAsync(args, { from: 'user' });
  return output;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'arclab-evaluate-'));
  const keep = (text: unknown) => {
    output += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
  saveDataset(file('tasks.json'), new Map([...TASKS].map(([id, task]) => [id, [task]])));
  saveResults(file('inference.json'), [
    prediction('a', 0, [[1]]),
    prediction('a', 0, A),
    prediction('b', 0, B0),
    prediction('b', 0, B0),
    prediction('b', 1, null),
    prediction('b', 1, B1),
  ]);
});

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(folder, { recursive: true });
});

describe('evaluate', () => {
  const line =
    'accuracy: 62.5% correct_pixels: 62.5% max_correct_pixels: 100.0% correct_size: 62.5% any_correct_size: 100.0% pass_n: 100.0% unanswered: 12.5%\n';

  test('prints one line, and the votes of a detailed list on another', async () => {
    expect(await arclab(evaluate, file('inference.json'), '--dataset-path', file('tasks.json'))).toBe(line);
    const votes = 'vote_1: 50.0% vote_2: 100.0%\n';
    expect(
      await arclab(evaluate, file('inference_task_results.json'), '--dataset-path', file('tasks.json')),
    ).toBe(line + votes);
  });

  test('several files make a table; metrics go to a file', async () => {
    const printed = await arclab(
      evaluate,
      file('inference.json'),
      file('inference_task_results.json'),
      ...[
        '--dataset-path',
        file('tasks.json'),
        '--output-path',
        file('metrics.json'),
        '--study',
        '--per-task',
      ],
    );
    expect(printed).toMatch(/^file +accuracy +correct_pixels/);
    expect(printed).toContain('number of predictions');
    const written = JSON.parse(readFileSync(file('metrics.json'), 'utf8'));
    expect(written[1].overall).toMatchObject({ accuracy: 0.625, vote_2: 1 });
    expect(written[0].perTask.a.pass_n).toBe(1);
  });

  test('a file about other tasks, or a data set without solutions, is a mistake', async () => {
    writeFileSync(file('other.json'), JSON.stringify({ z: [{ attempt_1: [[0]] }] }));
    const args = ['--dataset-path', file('tasks.json')];
    await expect(arclab(evaluate, file('other.json'), ...args)).rejects.toThrow(/other\.json/);
    const inputs = [...TASKS].map(
      ([id, task]) => [id, [{ ...task, test: task.test.map(({ input }) => ({ input })) }]] as const,
    );
    saveDataset(file('u_challenges.json'), new Map(inputs));
    await expect(
      arclab(evaluate, file('inference.json'), '--dataset-path', file('u_challenges.json')),
    ).rejects.toThrow(/u_challenges\.json: the output of test input 0 of task a is not known/);
  });
});

describe('join', () => {
  const results = (name: string) => JSON.parse(readFileSync(file(name), 'utf8'));

  test('makes one file of submissions, attempts and detailed lists, in turn, which can be voted on', async () => {
    const submission = { a: [{ attempt_1: A, attempt_2: [[7]] }], b: [{ attempt_1: B1, attempt_2: B0 }] };
    writeFileSync(file('submission.json'), JSON.stringify(submission));
    const arc24 = [{ task_id: 'a', idx: 0, grid: A, cumulative_logprob: -0.5, n_tokens: 4 }];
    writeFileSync(file('theirs_task_results.json'), JSON.stringify(arc24));
    const printed = await arclab(
      joinFiles,
      ...['submission.json', 'inference_task_results.json', 'theirs_task_results.json'].map(file),
      ...['--output-path', file('joined.json'), '--dataset-path', file('tasks.json')],
    );
    expect(printed).toContain('11 predictions (4 + 6 + 1) for 3 test inputs');
    expect(results('joined.json')).toEqual({
      a: [{ attempt_1: A, attempt_2: [[1]], attempt_3: A, attempt_4: [[7]], attempt_5: A }],
      b: [
        { attempt_1: B1, attempt_2: B0, attempt_3: B0, attempt_4: B0 },
        { attempt_1: null, attempt_2: B1 },
      ],
    });
    await arclab(vote, '--input-path', file('joined_task_results.json'));
    expect(results('joined_vote_2.json').a).toEqual([{ attempt_1: A, attempt_2: [[1]] }]);
    expect(results('joined_vote_2.json').b[0]).toEqual({ attempt_1: B0, attempt_2: B1 });
  });

  test('refuses one file, a file twice, and files about other tasks, and writes nothing', async () => {
    const to = ['--output-path', file('joined.json')];
    const own = file('inference.json');
    await expect(arclab(joinFiles, own, ...to)).rejects.toThrow(/expected at least two result files/);
    await expect(arclab(joinFiles, own, `${folder}/./inference.json`, ...to)).rejects.toThrow(/given twice/);
    writeFileSync(file('other.json'), JSON.stringify({ z: [{ attempt_1: [[0]] }] }));
    const data = ['--dataset-path', file('tasks.json')];
    await expect(arclab(joinFiles, own, file('other.json'), ...to, ...data)).rejects.toThrow(
      /other\.json: task "z" is not in the data set/,
    );
    await expect(arclab(joinFiles, own, file('other.json'), '--output-path', own)).rejects.toThrow(
      /expected a new file/,
    );
    expect(existsSync(file('joined.json'))).toBe(false);
  });
});

describe('vote', () => {
  test('of attempts without log-probabilities goes by their number and order', async () => {
    const attempts = { attempt_1: [[1]], attempt_2: A, attempt_3: A, attempt_4: [[2]] };
    writeFileSync(file('plain.json'), JSON.stringify({ a: [attempts] }));
    const printed = await arclab(vote, '--input-path', file('plain.json'), '--n', '3');
    expect(printed).toContain('4 predictions without log-probabilities for 1 test inputs');
    expect(JSON.parse(readFileSync(file('plain_vote_3.json'), 'utf8'))).toEqual({
      a: [{ attempt_1: A, attempt_2: [[1]], attempt_3: [[2]] }],
    });
  });

  test('writes the winners beside the input and a valid submission', async () => {
    const printed = await arclab(
      vote,
      ...['--input-path', file('inference_task_results.json'), '--n', '2'],
      ...['--dataset-path', file('tasks.json'), '--submission-path', file('submission.json')],
    );
    expect(JSON.parse(readFileSync(file('inference_vote_2.json'), 'utf8'))).toEqual({
      a: [{ attempt_1: [[1]], attempt_2: A }],
      b: [{ attempt_1: B0 }, { attempt_1: B1 }],
    });
    expect(printed).toContain('6 predictions for 3 test inputs');
    expect(printed).toContain('vote_1: 50.0% vote_2: 100.0%');
    validateSubmission(JSON.parse(readFileSync(file('submission.json'), 'utf8')), TASKS);
  });

  test('refuses predictions of other tasks, also for a submission without solutions', async () => {
    const inputs = [...TASKS].map(
      ([id, task]) =>
        [`other-${id}`, [{ ...task, test: task.test.map(({ input }) => ({ input })) }]] as const,
    );
    saveDataset(file('o_challenges.json'), new Map(inputs));
    const call = arclab(
      vote,
      ...['--input-path', file('inference_task_results.json')],
      ...['--dataset-path', file('o_challenges.json'), '--submission-path', file('submission.json')],
    );
    await expect(call).rejects.toThrow(/inference_task_results\.json: task "a" is not in the data set/);
    expect(existsSync(file('submission.json'))).toBe(false);
    expect(existsSync(file('inference_vote_2.json'))).toBe(false);
  });

  test.each([
    ['', /`outputPath` .*: expected the name of a file, found a folder/],
    ['tasks.json', /`outputPath` .*tasks\.json: expected a new file, found one that this command reads/],
    ['tasks.json/x.json', /`outputPath`: cannot write to .*: .*tasks\.json is a file/],
  ])('writes nothing at all when the winners cannot be written to "%s"', async (name, message) => {
    const before = readFileSync(file('tasks.json'), 'utf8');
    const call = arclab(
      vote,
      ...['--input-path', file('inference_task_results.json'), '--output-path', file(name)],
      ...['--dataset-path', file('tasks.json'), '--submission-path', file('submission.json')],
    );
    await expect(call).rejects.toThrow(message);
    expect(existsSync(file('submission.json'))).toBe(false);
    expect(readFileSync(file('tasks.json'), 'utf8')).toBe(before);
  });

  test('leaves nothing behind without predictions', async () => {
    writeFileSync(file('broken.json'), '{"a": [{"first": [[1]]}]}');
    const call = arclab(vote, '--input-path', file('broken.json'));
    await expect(call).rejects.toThrow(/broken\.json: not an inference file/);
    expect(existsSync(file('broken_vote_2.json'))).toBe(false);
  });
});

describe('compare', () => {
  test('says identical, with exit code 0', async () => {
    expect(await arclab(compare, file('inference.json'), file('inference_task_results.json'))).toBe(
      'identical: 2 tasks\n',
    );
    expect(process.exitCode).toBeUndefined();
  });

  test('says what differs, with exit code 1', async () => {
    saveResults(file('new.json'), [prediction('a', 0, [[1]]), prediction('a', 0, B0)]);
    expect(await arclab(compare, file('inference.json'), file('new.json'))).toBe(
      `different: 2 of 2 tasks\n  a: test input 0: 1 of 2 attempts differs (first: attempt_2, size 2x2 against 1x4)\n  b: only in ${file('inference.json')}\n`,
    );
    expect(process.exitCode).toBe(1);
  });
});
