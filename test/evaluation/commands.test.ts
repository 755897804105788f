import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { saveDataset } from '../../src/arc/dataset.js';
import type { CommandFile } from '../../src/cli/command.js';
import compare from '../../src/cli/commands/compare.js';
import evaluate from '../../src/cli/commands/evaluate.js';
import vote from '../../src/cli/commands/vote.js';
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
  commandFile.configure(command);
  command.action((...parameters) =>
    commandFile.run(
      parameters
        .slice(0, -2)
        .flat()
        .filter((value) => value !== undefined),
      parameters.at(-2),
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
        '--output-filepath',
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

describe('vote', () => {
  test('writes the winners beside the input and a valid submission', async () => {
    const printed = await arclab(
      vote,
      ...['--input-filepath', file('inference_task_results.json'), '--n', '2'],
      ...['--dataset-path', file('tasks.json'), '--submission-filepath', file('submission.json')],
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
      ...['--input-filepath', file('inference_task_results.json')],
      ...['--dataset-path', file('o_challenges.json'), '--submission-filepath', file('submission.json')],
    );
    await expect(call).rejects.toThrow(/inference_task_results\.json: task "a" is not in the data set/);
    expect(existsSync(file('submission.json'))).toBe(false);
    expect(existsSync(file('inference_vote_2.json'))).toBe(false);
  });

  test.each([
    ['', /--output_filepath .*: expected the name of a file, found a folder/],
    ['tasks.json', /--output_filepath .*tasks\.json: expected a new file, found one that this command reads/],
    ['tasks.json/x.json', /--output_filepath: cannot write to .*: .*tasks\.json is a file/],
  ])('writes nothing at all when the winners cannot be written to "%s"', async (name, message) => {
    const before = readFileSync(file('tasks.json'), 'utf8');
    const call = arclab(
      vote,
      ...['--input-filepath', file('inference_task_results.json'), '--output-filepath', file(name)],
      ...['--dataset-path', file('tasks.json'), '--submission-filepath', file('submission.json')],
    );
    await expect(call).rejects.toThrow(message);
    expect(existsSync(file('submission.json'))).toBe(false);
    expect(readFileSync(file('tasks.json'), 'utf8')).toBe(before);
  });

  test('needs the detailed list, and leaves nothing behind without it', async () => {
    const call = arclab(vote, '--input-filepath', file('inference.json'));
    await expect(call).rejects.toThrow(/inference\.json: expected the detailed list/);
    expect(existsSync(file('inference_vote_2.json'))).toBe(false);
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
