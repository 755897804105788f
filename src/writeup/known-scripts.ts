/** @file Python scripts of write-ups as data: which command of ours does their job, and what becomes of each option. */

/** What becomes of an option. Of the rules of one, the first holds whose conditions are met; without any it stays. */
export interface OptionRule {
  /** Holds where one of the values is like this (default: always, also where only a run knows the value). */
  readonly value?: RegExp;
  /** Holds where this option is not given as well. */
  readonly without?: string;
  /** Our name of it (default: the same). */
  readonly name?: string;
  /** What is written instead of the value. */
  readonly as?: string;
  /** The value is multiplied by that of this option, or by `otherwise` where it is not given. */
  readonly times?: { readonly option: string; readonly otherwise: number };
  /** The values become an object of JSON with these keys. */
  readonly keys?: readonly string[];
  /** It is left out, and this is noted above the command. */
  readonly drop?: string;
  /** This part of its values is replaced. */
  readonly replace?: readonly [string, string];
  /** It names something that is not there: the command stays a cell, which says so and fails. */
  readonly lacks?: string;
  /** The command stays text, for this reason. */
  readonly text?: string;
}

/** A script. */
export interface KnownScript {
  /** The command of ours that does its job. */
  readonly command?: string;
  /** Why there is none: a call stays text. */
  readonly text?: string;
  readonly options?: Readonly<Record<string, readonly OptionRule[]>>;
  /** Another command where an option has a value like this; its rules come first. */
  readonly instead?: readonly (KnownScript & { readonly option: string; readonly value: RegExp })[];
}

const oneDevice: readonly OptionRule[] = [
  { value: /^0$/, name: '--device', as: 'cpu' },
  { drop: 'one device computes; --device says which' },
];
const seed: readonly OptionRule[] = [
  { value: /^None$/, drop: 'the seed is 0 unless another is given' },
  { name: '--seed' },
];
const engine: readonly OptionRule[] = [{ drop: 'it sets up vLLM, which is not used' }];
const logs: readonly OptionRule[] = [{ drop: 'every run writes metrics.jsonl and logs for TensorBoard' }];
const madeByScript: readonly OptionRule[] = [
  {
    value: /^(omni-arc|barc)-/,
    lacks: 'the script makes one of its data sets itself, and arclab has no generator of it',
  },
];

/** `RepeatNumberEncoder()` repeats three times where it is not told otherwise. */
const encoder: readonly OptionRule[] = [
  { value: /RepeatNumberEncoder\(\)/, replace: ['RepeatNumberEncoder()', 'RepeatNumberEncoder(3)'] },
];

/** Options of all scripts that have another name here. */
export const commonRules: Readonly<Record<string, readonly OptionRule[]>> = {
  '--input_filepath': [{ name: '--input_path' }],
  '--output_filepath': [{ name: '--output_path' }],
};

const training: KnownScript = {
  command: 'fine-tune',
  options: {
    '--random_seed': seed,
    '--compose_new_task_probability': [{ name: '--task_augmentation' }],
    '--compose_new_task_weights': [
      { name: '--task_augmentation_weights', keys: ['geometric', 'padding', 'upscaling', 'mirroring'] },
    ],
    '--n_gpus': oneDevice,
    '--device_map': [
      { value: /^(cpu|cuda(:\d+)?)$/, name: '--device' },
      { drop: 'one device computes; --device says which' },
    ],
    '--optim': [
      { value: /adamw.*8bit/, name: '--optim', as: 'adamw_8bit' },
      { value: /adamw/, drop: 'AdamW is the default' },
      { value: /^muon$/, name: '--optim' },
      { text: 'arclab has AdamW (adamw, adamw_8bit) and Muon' },
    ],
    '--per_device_train_batch_size': [
      {
        value: /^1$/,
        drop: 'samples are packed into passes of --max_tokens_per_batch tokens, --max_seq_len by default',
      },
      { name: '--max_tokens_per_batch', times: { option: '--max_seq_len', otherwise: 4096 } },
    ],
    '--per_device_eval_batch_size': [{ drop: 'validation samples are packed, which changes no loss' }],
    '--report_to': logs,
    '--log_to_wandb': logs,
    '--no-log_to_wandb': logs,
    '--dataloader_num_workers': [{ name: '--workers' }],
    '--use_4bit_quantization': [{ text: 'arclab does not quantize weights to 4 bits' }],
    '--no-use_4bit_quantization': [{ drop: 'weights are not quantized' }],
    '--subsample_train_tasks_ratio': [
      { value: /^1(\.0*)?$/, drop: 'all tasks are used' },
      { text: 'arclab trains on all tasks of a data set' },
    ],
    '--verify_correct_output_probability': [{ text: 'arclab has no prompt kind that verifies answers' }],
    '--grid_encoder': encoder,
    '--train_datasets': madeByScript,
    '--val_dataset': madeByScript,
  },
};

const inference: KnownScript = {
  command: 'infer',
  options: {
    '--grid_encoder': encoder,
    '--max_model_len': [{ name: '--max_seq_len' }],
    '--random_seed': seed,
    '--n': [
      { without: '--predictions_per_task', name: '--predictions_per_task' },
      { value: /^1$/, drop: 'each prompt is answered once' },
      { text: 'each prompt is answered once; more answers are --predictions_per_task' },
    ],
    '--best_of': [{ value: /^1$/, drop: 'no beams are searched' }, { text: 'arclab has no beam search' }],
    '--n_gpus': oneDevice,
    '--tensor_parallel_size': oneDevice,
    '--swap_space': engine,
    '--gpu_memory_utilization': engine,
    '--max_num_seqs': [{ name: '--batch_size' }],
  },
  instead: [
    {
      option: '--prompt_version',
      value: /^input-from-inputs/,
      command: 'generate-inputs',
      options: { '--predictions_per_task': [{ name: '--n' }] },
    },
  ],
};

/** The scripts by file name. */
export const knownScripts: Readonly<Record<string, KnownScript>> = {
  'fine-tuning.py': training,
  'finetuning.py': training,
  'inference.py': inference,
  'easy_inference_and_evaluation.py': {
    command: 'infer-evaluate',
    options: { ...inference.options },
  },
  'evaluation.py': { command: 'evaluate' },
  'voting.py': { command: 'vote' },
  'merge_lora.py': {
    command: 'merge-lora',
    options: {
      '--base_model_path': [{ name: '--model_path' }],
      '--lora_path': [{ name: '--adapter_path' }],
      '--output_path': [{ name: '--output_dir' }],
      '--device_map': [{ drop: 'weights are merged where they are' }],
    },
  },
  'generate_inputs.py': { command: 'generate-inputs', options: { '--random_seed': seed } },
  'verify_predictions.py': { text: 'arclab has no prompt kind that verifies answers' },
  'easy_verify_and_evaluation.py': { text: 'arclab has no prompt kind that verifies answers' },
  'select_predictions.py': { text: 'arclab has no prompt kind that compares answers' },
  'select_predictions_with_halving.py': { text: 'arclab has no prompt kind that compares answers' },
  'easy_select_and_evaluation.py': { text: 'arclab has no prompt kind that compares answers' },
};
