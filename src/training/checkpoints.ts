import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../common/errors.js';
import { readJson, temporaryName } from '../common/files.js';
import { isGone } from '../common/process-identity.js';
import { compileSchema } from '../common/schema.js';
import { SafetensorsFile, saveSafetensors, type TensorToWrite } from '../models/safetensors.js';
import { CheckpointError } from './errors.js';
import type { LossScaleState } from './loss-scale.js';
import { METRICS_FILE, type TrainingHistory } from './metrics-log.js';
import type { OptimizerTensor } from './optimizer.js';
import type { TallyState } from './tally.js';

/** What a checkpoint folder holds besides the adapter or the model. */
const STATE_FILE = 'trainer_state.json';
const OPTIMIZER_FILE = 'optimizer.safetensors';
const CONFIG_FILE = 'cfg.json';
const NAME = /^checkpoint-(\d+)$/;
const TEMPORARY_NAME = /^\.checkpoint-\d+\.tmp-(\d+)-[0-9a-f]+$/;

/**
 * Where a run is. With the options in cfg.json and the tensors in optimizer.safetensors this is all that an
 * exact continuation needs: every random number follows from the seed and a step or stream index.
 */
export interface TrainerState {
  /** Optimizer steps taken. */
  readonly step: number;
  readonly badSteps: number;
  /** The factor on the loss, of a run in float16. */
  readonly lossScale?: LossScaleState;
  /** The random seed, and the first stream item that was not used. */
  readonly rng: { readonly seed: number; readonly streamIndex: number };
  readonly tokens: number;
  /** Sums of the steps since the last point of the history. */
  readonly window: {
    readonly tally: TallyState;
    readonly tokens: number;
    readonly seconds: number;
    /** Of the last step that was taken and not skipped, before clipping. */
    readonly gradNorm: number;
  };
  readonly history: TrainingHistory;
  /** What the run was made from, by name: digests of its data sets, its base and the adapter that it began with. */
  readonly inputs?: Readonly<Record<string, string>>;
}

const validateState = compileSchema<TrainerState>(
  {
    type: 'object',
    required: ['step', 'badSteps', 'rng', 'tokens', 'window', 'history'],
    properties: {
      step: { type: 'integer', minimum: 0 },
      badSteps: { type: 'integer', minimum: 0 },
      lossScale: {
        type: 'object',
        required: ['scale', 'goodSteps'],
        properties: { scale: { type: 'number', minimum: 1 }, goodSteps: { type: 'integer', minimum: 0 } },
      },
      rng: {
        type: 'object',
        required: ['seed', 'streamIndex'],
        properties: { seed: { type: 'integer' }, streamIndex: { type: 'integer', minimum: 0 } },
      },
      tokens: { type: 'integer', minimum: 0 },
      window: { type: 'object', required: ['tally', 'tokens', 'seconds'] },
      history: { type: 'object', required: ['train', 'validation'] },
      inputs: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
  "a trainer's state",
);

const validateConfig = compileSchema<Record<string, unknown>>({ type: 'object' }, "a run's options");

/** The checkpoints of a run's folder, oldest first. A folder of that name is always complete. */
export function listCheckpoints(outputDir: string): { path: string; step: number }[] {
  if (!existsSync(outputDir)) return [];
  return readdirSync(outputDir)
    .flatMap((name) => {
      const step = NAME.exec(name)?.[1];
      return step === undefined ? [] : [{ path: join(outputDir, name), step: Number(step) }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Reads where a checkpoint's run is, and its options. @throws {UserError} for a damaged file */
export function readCheckpoint(path: string): { state: TrainerState; config: Record<string, unknown> } {
  const statePath = join(path, STATE_FILE);
  const configPath = join(path, CONFIG_FILE);
  return {
    state: validateState(readJson(statePath, "a trainer's state"), statePath),
    config: validateConfig(readJson(configPath, "a run's options"), configPath),
  };
}

/**
 * Writes `checkpoint-<step>` under a temporary name and renames it, so that no reader and no crash ever sees
 * half of one; then removes all but the newest of this run.
 * @throws {CheckpointError} when the disk is full or the folder cannot be written
 * @param saveModel writes the adapter or the model into a folder
 */
export async function saveCheckpoint(
  outputDir: string,
  content: {
    config: object;
    /** How many checkpoints are kept, the newest; -1 = all. */
    limit: number;
    /** The step of a checkpoint that is kept beside them. */
    best?: number | undefined;
    state: TrainerState;
    tensors: ReadonlyMap<string, OptimizerTensor>;
    saveModel: (folder: string) => Promise<void>;
  },
): Promise<string> {
  const { config, limit, best, state, tensors, saveModel } = content;
  const path = join(outputDir, `checkpoint-${state.step}`);
  const temporary = temporaryName(join(outputDir, `.checkpoint-${state.step}`));
  mkdirSync(temporary, { recursive: true });
  try {
    await saveModel(temporary);
    await saveTensors(temporary, tensors);
    writeFileSync(join(temporary, CONFIG_FILE), `${JSON.stringify(config, null, 2)}\n`);
    writeFileSync(join(temporary, STATE_FILE), `${JSON.stringify(state)}\n`);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw new CheckpointError(`${path}: the checkpoint cannot be written: ${messageOf(error)}`);
  }
  const older = limit > 0 ? listCheckpoints(outputDir).slice(0, -limit) : [];
  for (const old of older) if (old.step !== best) removeCheckpoint(old.path);
  return path;
}

/** A folder is renamed before its files go, so that a kill in between leaves no partial checkpoint either. */
function removeCheckpoint(path: string): void {
  const temporary = temporaryName(join(dirname(path), `.${basename(path)}`));
  renameSync(path, temporary);
  rmSync(temporary, { recursive: true, force: true });
}

/** The adapter's or model's own files, which hold the trained values by their names. */
const WEIGHT_FILES = ['adapter_model.safetensors', 'model.safetensors'];

/** Opens the files of a checkpoint that hold weights; the caller closes them. */
function openWeights(folder: string): SafetensorsFile[] {
  return WEIGHT_FILES.map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .map((path) => new SafetensorsFile(path));
}

/** The file that holds exactly the values of a trained variable, if one does. */
function holderOf(files: readonly SafetensorsFile[], name: string, shape: readonly number[]) {
  const wanted = name.replace(/^param\./, '');
  // the file has its transpose, which may be of the same shape
  if (wanted.includes('.lora_embedding_')) return undefined;
  return files.find(({ tensors }) => {
    const entry = tensors.get(wanted);
    return name !== wanted && entry?.dtype === 'F32' && entry.shape.join() === shape.join();
  });
}

/** Writes what the model's own files do not hold: the moments, and weights that are saved in another form. */
async function saveTensors(folder: string, tensors: ReadonlyMap<string, OptimizerTensor>): Promise<void> {
  const files = openWeights(folder);
  try {
    const list = [...tensors]
      .filter(([name, { shape }]) => !holderOf(files, name, shape))
      .map(([name, tensor]): [string, TensorToWrite<Promise<Float32Array>>] => [
        name,
        { shape: tensor.shape, dtype: 'F32', values: () => tensor.read() },
      ]);
    await saveSafetensors(join(folder, OPTIMIZER_FILE), list);
  } finally {
    for (const file of files) file.close();
  }
}

/** Puts a checkpoint's values into the variables of the same names. @throws {CheckpointError} if they differ */
export function restoreTensors(path: string, variables: ReadonlyMap<string, OptimizerTensor>): void {
  const files = openWeights(path);
  const optimizer = new SafetensorsFile(join(path, OPTIMIZER_FILE));
  try {
    for (const [name, variable] of variables) {
      const entry = optimizer.tensors.get(name);
      const holder = entry ? optimizer : holderOf(files, name, variable.shape);
      if (!holder || (entry && entry.shape.join() !== variable.shape.join())) {
        throw new CheckpointError(
          `${path}: expected ${name} of shape [${variable.shape}], found ${entry ? `[${entry.shape}]` : 'none'}. ` +
            'Start over with `resumeFromCheckpoint: false` or in another `outputDir`',
        );
      }
      const { values } = holder.read(entry ? name : name.replace(/^param\./, ''));
      variable.write(values as Float32Array);
    }
  } finally {
    for (const file of [...files, optimizer]) file.close();
  }
}

/** Removes what killed runs of this folder left half-written; what a living process writes stays. */
export function removeLeftovers(outputDir: string): void {
  if (!existsSync(outputDir)) return;
  for (const name of readdirSync(outputDir)) {
    const pid = TEMPORARY_NAME.exec(name)?.[1];
    if (pid !== undefined && isOver(Number(pid))) rmSync(join(outputDir, name), { recursive: true });
  }
}

/** Whether a process of that number writes nothing more: this one has not begun to. */
const isOver = (pid: number) => pid === process.pid || isGone(pid, '');

/** Whether a file is the record of a training: other flows, and other programs, have files of these names too. */
function isTrainingRecord(path: string): boolean {
  if (!/^(fine-tune_)?run\.json$/.test(basename(path))) return false;
  try {
    return (readJson(path) as { flow?: string }).flow === 'fine-tune';
  } catch {
    return false;
  }
}

/**
 * Prepares a folder for a run that starts over: moves checkpoints and metrics of an earlier one to `previous-<n>`.
 * @returns the new folder, or null when there was nothing to move
 */
export function setAsideEarlierRun(outputDir: string): string | null {
  if (!existsSync(outputDir)) return null;
  const old = readdirSync(outputDir).filter(
    (name) =>
      NAME.test(name) || [METRICS_FILE, 'logs'].includes(name) || isTrainingRecord(join(outputDir, name)),
  );
  if (old.length === 0) return null;
  let n = 1;
  while (existsSync(join(outputDir, `previous-${n}`))) n++;
  const folder = join(outputDir, `previous-${n}`);
  mkdirSync(folder);
  for (const name of old) renameSync(join(outputDir, name), join(folder, name));
  return folder;
}
