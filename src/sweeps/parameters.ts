/** @file Names of parameters as options of the flows that a sweep runs. */
import { messageOf, UserError } from '../common/errors.js';
import { nearestName } from '../common/option-names.js';
import { inferEvaluateOptions } from '../options/inference.js';
import { flagOf, type Leaf, leavesOf } from '../options/table.js';
import { fineTuneOptions } from '../options/training.js';

/** The parts of a description that hold options. */
export type Stage = 'fineTune' | 'inferEvaluate';

/** Options of both flows, as a description gives them. */
export type StageOptions = Readonly<Record<Stage, Readonly<Record<string, unknown>>>>;

const tables = { fineTune: fineTuneOptions.table, inferEvaluate: inferEvaluateOptions.table };

/** Options that the sweep gives itself. */
const OWN: Readonly<Record<Stage, readonly string[]>> = {
  fineTune: ['outputDir', 'resumeFromCheckpoint'],
  inferEvaluate: ['checkpoint', 'outputPath'],
};

const namesOf = (leaf: Leaf): string[] => [leaf.name, flagOf(leaf), ...(leaf.spec.formerly ?? [])];

/** An option that a parameter sets. */
export interface Target {
  readonly stage: Stage;
  readonly path: readonly string[];
}

/** The option that a name means: of fine-tune, else of infer-evaluate, or of the one that stands before it. */
function find(name: string): Target | undefined {
  const [, prefix, rest] = /^(?:(fineTune|inferEvaluate)\.)?(.+)$/s.exec(name) ?? [];
  const stages = prefix === undefined ? (['fineTune', 'inferEvaluate'] as const) : [prefix as Stage];
  for (const stage of stages) {
    const leaf = leavesOf(tables[stage]).find((candidate) => namesOf(candidate).includes(rest!));
    if (leaf && !OWN[stage].includes(leaf.path[0]!)) return { stage, path: leaf.path };
  }
  return undefined;
}

/** The option that a parameter sets. @throws {UserError} for an unknown name, with the nearest known one */
export function targetOf(name: string, where: string): Target {
  const target = find(name);
  if (target) return target;
  const known = (['fineTune', 'inferEvaluate'] as const).flatMap((stage) =>
    leavesOf(tables[stage])
      .filter(({ path }) => !OWN[stage].includes(path[0]!))
      .flatMap((leaf) => [leaf.name, `${stage}.${leaf.name}`]),
  );
  const nearest = nearestName(name, known);
  throw new UserError(
    `${where}: parameters: there is no option "${name}"${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
  );
}

/** Options with the value of one more. */
export function withOption(options: StageOptions, { stage, path }: Target, value: unknown): StageOptions {
  const [key, part] = path as [string, string?];
  const own = options[stage];
  const set = part === undefined ? value : { ...(own[key] as object), [part]: value };
  return { ...options, [stage]: { ...own, [key]: set } };
}

/** Two sets of options as one; parts of `lora` one by one, the later before the earlier. */
export function merged(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const { lora, ...others } = b;
  return {
    ...a,
    ...others,
    ...(lora === undefined ? {} : { lora: { ...(a.lora as object), ...(lora as object) } }),
  };
}

/** Options that a description gives and may not. @throws {UserError} */
export function assertNotOwn(options: Readonly<Record<string, unknown>>, stage: Stage, where: string): void {
  const own = OWN[stage].find((name) => Object.hasOwn(options, name));
  if (own === undefined) return;
  throw new UserError(`${where}: ${stage}: "${own}" is given by the sweep itself; leave it out`);
}

/** Runs a check of options; what it refuses is told of the description, where options are names and not flags. */
export function checked<T>(where: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(`${where}: ${messageOf(error).replace(/`([A-Za-z.]+)(: [^`]*)?`/g, '"$1"$2')}`);
  }
}
