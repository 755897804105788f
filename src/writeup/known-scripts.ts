import { shellWords } from './shell-text.js';

/** A Python script of such write-ups, the command of ours that does its job, and options named otherwise. */
interface KnownScript {
  readonly command: string;
  readonly options?: Readonly<Record<string, string>>;
}

/** The scripts by file name; options that are not listed have the same name in both. */
export const knownScripts: Readonly<Record<string, KnownScript>> = {
  'fine-tuning.py': { command: 'fine-tune' },
  'finetuning.py': { command: 'fine-tune' },
  'inference.py': { command: 'infer' },
  'easy_inference_and_evaluation.py': { command: 'infer-evaluate' },
  'evaluation.py': { command: 'evaluate' },
  'voting.py': { command: 'vote' },
  'merge_lora.py': {
    command: 'merge-lora',
    options: {
      '--base_model_path': '--model_path',
      '--lora_path': '--adapter_path',
      '--output_path': '--output_dir',
    },
  },
  'generate_inputs.py': { command: 'generate-inputs' },
};

const SCRIPT = Object.keys(knownScripts)
  .map((name) => name.replaceAll('.', '\\.'))
  .join('|');
const RUNNER =
  '(?:(?:python3?|(?:accelerate\\s+launch|torchrun|deepspeed)(?:\\s+--?[\\w-]+(?:[= ]\\S+)?)*?)\\s+)?';
const CALL = new RegExp(`(^|[;&|(]\\s*|\\s)${RUNNER}(?:[\\w./~-]*/)?(${SCRIPT})(?=\\s|$)`, 'g');

/** Takes a command out of the cluster's job queue: `condor_submit job.condor command="…" …` is the `…`. */
function unqueued(source: string): string {
  const command = source.startsWith('condor_submit')
    ? shellWords(source).find((word) => word.startsWith('command='))
    : undefined;
  return command === undefined ? source : command.slice('command='.length).trim();
}

/** A command as it can be run here: known scripts become commands of arclab, paths are mapped. */
export function ourCommand(source: string, paths: ReadonlyMap<string, string> = new Map()): string {
  let command = unqueued(source);
  let options: Record<string, string> = {};
  command = command.replace(CALL, (_, before: string, script: string) => {
    const known = knownScripts[script]!;
    options = { ...options, ...known.options };
    return `${before}arclab ${known.command}`;
  });
  command = command.replace(/(?<=^|\s)--[\w-]+/g, (option) => options[option] ?? option);
  // the longest first, so that /data/a is not taken for /data
  for (const [from, to] of [...paths].sort((a, b) => b[0].length - a[0].length)) {
    command = command.replaceAll(from, to);
  }
  return command;
}
