/** A fresh adapter, to be trained. */
import type { Rng } from '../common/rng.js';
import { toFloatType } from '../tensors/float-type.js';
import * as tf from '../tensors/tf.js';
import type { AdapterBase, AdapterTargets } from './adapter-names.js';
import { fromPattern, savedWeights, targetedMatrices } from './adapter-targets.js';
import { allOrNothing } from './all-or-nothing.js';
import type { Decoder } from './decoder.js';
import { AdapterError } from './errors.js';
import {
  defaultTargetModules,
  fusedParts,
  type LoraAdapter,
  type LoraInit,
  type LoraOptions,
  loraScaling,
} from './lora.js';
import { LoraWeight, variable } from './lora-weight.js';
import { qrPart } from './olora.js';
import type { MatrixPart } from './parts.js';
import { type PrincipalPart, principalPart, withoutPart } from './pissa.js';
import { ReplacedWeight, type Weight } from './weight.js';

/** The part of a base weight that an adapter begins with and that is taken out of it. */
type StartOfBase = (weight: Weight, rank: number, scaling: number) => Promise<PrincipalPart>;

const starts: Readonly<Record<LoraInit, StartOfBase | undefined>> = {
  default: undefined,
  gaussian: undefined,
  pissa: principalPart,
  olora: qrPart,
};
const loraInits = Object.keys(starts) as LoraInit[];

/** What the options of an adapter are checked against. */
type FittedBase = Pick<AdapterBase, 'targets' | 'savable'>;

const changesBase = (init: LoraInit): StartOfBase | undefined => starts[init];

/**
 * Checks the options of a fresh adapter against what it may lie on: all that can be wrong is known before a weight is
 * read.
 * @param isCut whether embeddings and head have rows for some tokens only
 * @throws {AdapterError} when the options cannot be met
 */
export function assertLoraFits(options: LoraOptions, base: FittedBase, isCut: boolean): void {
  const matrices = base.targets;
  const { rank, alpha, dropout, useDora, init } = options;
  if (!Number.isInteger(rank) || rank < 1) {
    throw new AdapterError(`LoRA rank ${rank} found, expected an integer of at least 1`);
  }
  if (!(alpha > 0 && Number.isFinite(alpha))) {
    throw new AdapterError(`LoRA alpha ${alpha} found, expected a number above 0`);
  }
  if (!(dropout >= 0 && dropout < 1)) {
    throw new AdapterError(`LoRA dropout ${dropout} found, expected a number from 0 to below 1`);
  }
  if (!loraInits.includes(init)) {
    throw new AdapterError(`unknown LoRA initialisation "${init}". Known: ${loraInits.join(', ')}`);
  }
  if (changesBase(init) && useDora) {
    throw new AdapterError(
      `${init} changes the base weights, which DoRA cannot undo when it is saved: use one of the two`,
    );
  }
  for (const [name, { rank }] of adaptedMatrices(options, base)) {
    const { use, shape } = matrices.get(name)!;
    if (changesBase(init) && use !== 'embedding' && rank > Math.min(...shape)) {
      throw new AdapterError(`${init} rank ${rank} is above the rank of ${name} [${shape.join(', ')}]`);
    }
    if (useDora && isCut && use === 'embedding') throw doraOnCutTable(name);
  }
}

/** DoRA's norms of a table are over all of its rows. */
export const doraOnCutTable = (name: string): AdapterError =>
  new AdapterError(
    `DoRA on ${name} needs the rows of all tokens: leave out \`pruneVocab\`, DoRA, or ${name} as a target`,
  );

/** Makes a fresh trainable adapter. @throws {AdapterError} when the options cannot be met. */
export async function addAdapter(decoder: Decoder, options: LoraOptions, rng: Rng): Promise<void> {
  const base = decoder.adapterBase();
  assertLoraFits(options, base, decoder.cut !== undefined);
  const adapted = adaptedMatrices(options, base);
  for (const matrix of decoder.matrices()) {
    const size = adapted.get(matrix.name);
    if (!size) continue;
    const stream = rng.fork();
    const { use, weight } = matrix;
    const start = use === 'embedding' ? undefined : changesBase(options.init);
    if (start) {
      const { rank, scaling } = size;
      const initial = await start(weight, rank, scaling);
      const { rest, adapter } = allOrNothing((own) => {
        own(initial.a);
        own(initial.b);
        const start = { a: own(tf.variable(initial.a)), b: own(tf.variable(initial.b)) };
        const adapter: LoraAdapter = { ...start, scaling, dropout: options.dropout, initial };
        return { rest: withoutPart(weight, initial, scaling), adapter };
      });
      weight.dispose();
      matrix.weight = new LoraWeight(matrix, rest, adapter);
      continue;
    }
    matrix.weight = new LoraWeight(matrix, weight, plainStart(matrix, options, size, stream));
  }
  saveModules(decoder, options.modulesToSave ?? []);
  const names = withFused([...base.targets.keys()], options.targetModules ?? defaultTargetModules);
  decoder.lora = { ...options, targetModules: names };
}

/** Trains copies of the base's weights in their place. */
function saveModules(decoder: Decoder, modules: readonly string[]): void {
  const names = savedWeights({ modules_to_save: modules }, decoder.adapterBase());
  const trained = <T extends tf.Tensor>(copy: T): T => {
    const variable = tf.variable(copy, true);
    copy.dispose();
    return variable as tf.Tensor as T;
  };
  for (const matrix of decoder.matrices()) {
    if (!names.has(`${matrix.name}.weight`)) continue;
    matrix.weight = new ReplacedWeight(trained(matrix.weight.dense()), matrix.weight);
  }
  for (const vector of decoder.parts().flatMap((part) => part.vectors)) {
    if (!names.has(vector.name)) continue;
    const copy = tf.tidy(() => toFloatType(vector.base.clone(), 'float32'));
    vector.replace(trained(copy), { keepBase: true });
  }
}

/** A random A and a B of zeros: the adapter changes nothing at first. */
function plainStart(
  { weight, use }: MatrixPart,
  { useDora, init, dropout }: LoraOptions,
  { rank, scaling }: AdapterSize,
  rng: Rng,
): LoraAdapter {
  const [out, input] = weight.shape;
  // nn.Embedding's own initialisation is normal, nn.Linear's (Kaiming with a = √5) uniform within 1 / √in
  const draw =
    use === 'embedding'
      ? () => rng.normal()
      : init === 'gaussian'
        ? () => rng.normal(0, 1 / rank)
        : () => (2 * rng.uniform() - 1) / Math.sqrt(input);
  return allOrNothing((own) => {
    const adapter: LoraAdapter = {
      a: own(variable(Float32Array.from({ length: rank * input }, draw), [rank, input], true)),
      b: own(variable(new Float32Array(out * rank), [out, rank], true)),
      scaling,
      dropout,
    };
    if (!useDora) return adapter;
    // B is zero, so the magnitudes start as the norms of the base's own rows or columns
    const axis = use === 'embedding' ? 0 : 1;
    const norms = tf.tidy(() => tf.sqrt(tf.sum(tf.square(weight.dense()), axis)));
    const magnitude = own(tf.variable(norms));
    norms.dispose();
    return { ...adapter, magnitude };
  });
}

const isNamed = (name: string, target: string): boolean => name === target || name.endsWith(`.${target}`);

/** Target names with that of a fused projection in the place of all its parts, where a model has it fused. */
function withFused(names: readonly string[], targets: readonly string[]): string[] {
  let all = [...targets];
  for (const [fused, parts] of Object.entries(fusedParts)) {
    const isFused = names.some((name) => isNamed(name, fused));
    if (!isFused || !parts.every((part) => all.includes(part))) continue;
    all = [...new Set(all.map((name) => (parts.includes(name) ? fused : name)))];
  }
  return all;
}

/**
 * The matrices that target names mean: the last part of a name, all of it, or `all-linear` for the projections of all
 * blocks.
 */
function matchTargets(
  matrices: AdapterTargets,
  given: readonly string[],
  option: 'targetModules' | 'excludeModules' = 'targetModules',
): Set<string> {
  const names = [...matrices.keys()];
  const targets = withFused(names, given);
  const matches = (name: string, target: string) =>
    target === 'all-linear' ? matrices.get(name)!.use === 'projection' : isNamed(name, target);
  for (const target of targets) {
    if (names.some((name) => matches(name, target))) continue;
    const known = [...new Set(names.map((name) => name.split('.').at(-1)))];
    const what = option === 'targetModules' ? 'unknown target module' : `\`lora.${option}\`: unknown module`;
    throw new AdapterError(`${what} "${target}". Known: ${known.join(', ')}, all-linear`);
  }
  return new Set(names.filter((name) => targets.some((target) => matches(name, target))));
}

/** What is made for one matrix. */
interface AdapterSize {
  readonly rank: number;
  readonly scaling: number;
}

/**
 * Checks what is trained as a whole, and takes it from what gets an adapter, as PEFT does.
 * @param named the matrices that are named as targets
 */
function assertSaved({ modulesToSave = [] }: LoraOptions, base: FittedBase, named: Set<string>): void {
  const unknown = modulesToSave.find((name) => savedWeights({ modules_to_save: [name] }, base).size === 0);
  if (unknown !== undefined) {
    throw new AdapterError(
      `\`lora.modulesToSave\`: no name of a module ends in "${unknown}"; norm, embed_tokens and lm_head are some`,
    );
  }
  const settings = { target_modules: [...named], modules_to_save: modulesToSave };
  const left = targetedMatrices(settings, base.targets);
  for (const name of named) if (!left.has(name)) named.delete(name);
  const whole = savedWeights(settings, base);
  const both = [...named].find((name) => whole.has(`${name}.weight`));
  if (both === undefined) return;
  throw new AdapterError(
    `\`lora.modulesToSave\`: ${both} would be trained as a whole and have an adapter, too; name it in ` +
      '`lora.excludeModules`',
  );
}

/** Whether a pattern of an option means a module. @throws {AdapterError} for a broken pattern */
function isMeant(option: string, pattern: string, name: string): boolean {
  try {
    return fromPattern({ [pattern]: 1 }, name) !== undefined;
  } catch {
    throw new AdapterError(`\`lora.${option}\`: "${pattern}" is not a pattern for names of modules`);
  }
}

/** The matrices that get an adapter, and how large each is. @throws {AdapterError} for a name that means none */
function adaptedMatrices(options: LoraOptions, base: FittedBase): Map<string, AdapterSize> {
  const { targetModules = defaultTargetModules, excludeModules = [], useRslora } = options;
  const { rankPattern = {}, alphaPattern = {} } = options;
  const named = matchTargets(base.targets, targetModules);
  for (const name of matchTargets(base.targets, excludeModules, 'excludeModules')) named.delete(name);
  assertSaved(options, base, named);
  if (named.size === 0) {
    throw new AdapterError(
      '`lora.excludeModules` and `lora.modulesToSave` leave out all that `lora.targetModules` names',
    );
  }
  for (const [option, patterns] of Object.entries({ rankPattern, alphaPattern })) {
    const unused = Object.keys(patterns).find((key) =>
      [...named].every((name) => !isMeant(option, key, name)),
    );
    if (unused === undefined) continue;
    throw new AdapterError(`\`lora.${option}\`: "${unused}" is the name of nothing that gets an adapter`);
  }
  return new Map(
    Array.from(named, (name) => {
      const rank = fromPattern(rankPattern, name) ?? options.rank;
      const alpha = fromPattern(alphaPattern, name) ?? options.alpha;
      return [name, { rank, scaling: loraScaling(alpha, rank, useRslora) }];
    }),
  );
}
