/** The call that a record names gives the options that it was made from. */
import { execFileSync } from 'node:child_process';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import type { CommandFile } from '../../src/cli/command.js';
import fineTuneCommand from '../../src/cli/commands/fine-tune.js';
import inferEvaluateCommand from '../../src/cli/commands/infer-evaluate.js';
import { declareCommand, optionsOf, typedOptions } from '../../src/cli/flags.js';
import { normalizeFlags } from '../../src/cli/words.js';
import { callOf } from '../../src/options/call.js';
import { inferEvaluateOptions } from '../../src/options/inference.js';
import { fineTuneOptions } from '../../src/options/training.js';

/** The words that a shell makes of a call, behind `npx arclab <command>`. */
function wordsOf(call: string): string[] {
  const words = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${call}`], { encoding: 'utf8' });
  return words.split('\0').slice(3, -1);
}

function readBack(file: CommandFile, call: string) {
  const command = new Command('x').exitOverride();
  declareCommand(command, file);
  command.parse(normalizeFlags(wordsOf(call)), { from: 'user' });
  return optionsOf(file, typedOptions(command, file));
}

test('fine-tune: pairs, parts, weights, objects, switches and names with spaces and quotes', () => {
  const options = {
    modelPath: "models/it's a base",
    outputDir: 'out',
    maxSteps: 3,
    learningRate: 1e-5,
    trainDatasets: [
      ['my tasks.json', 'output-from-examples-v1'],
      ['train.json', 'input-from-inputs-v0', 0.5],
    ],
    lora: { r: 64, targetModules: ['q_proj', 'v_proj'], rankPattern: { down_proj: 8 } },
    lossWeights: { 'output-from-examples-v1': 2 },
    taskAugmentationWeights: { kinds: { geometric: 1 } },
    useLora: true,
    swapTrainAndTest: false,
  };
  const call = callOf('fine-tune', fineTuneOptions.table, options);
  expect(call).not.toContain('--use_lora');
  const { useLora, ...others } = options;
  expect(readBack(fineTuneCommand, call)).toEqual(others);
});

test('infer-evaluate: the checkpoint is an argument', () => {
  const options = { checkpoint: 'out/checkpoint-3', temperature: 0.7, constrained: true };
  const call = callOf('infer-evaluate', inferEvaluateOptions.table, options);
  expect(call).toContain('infer-evaluate out/checkpoint-3 ');
  expect(readBack(inferEvaluateCommand, call)).toEqual(options);
});
