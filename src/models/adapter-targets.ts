/**
 * Which matrices an adapter lies on, by its adapter_config.json: the rules of PEFT (`check_target_module_exists` and
 * `get_pattern_key`), whose patterns are Python's.
 */
import { type AdapterBase, type AdapterTargets, adapterConfigName } from './adapter-names.js';
import { AdapterError } from './errors.js';

/** The settings that choose projections. */
export interface TargetSettings {
  /** Names, or ends of names; a string is a pattern for the whole name, or `all-linear`. */
  target_modules?: readonly string[] | string | null | undefined;
  /** The same for what is left out. */
  exclude_modules?: readonly string[] | string | null | undefined;
  /** The numbers of layers that are adapted; all when absent. */
  layers_to_transform?: readonly number[] | number | null | undefined;
  /** What the number of a layer follows; the first number in a name when absent. */
  layers_pattern?: readonly string[] | string | null | undefined;
  /** Modules that are trained as a whole; an adapter lies on none of them, nor on what is in them. */
  modules_to_save?: readonly string[] | null | undefined;
  /** Whether a head that is the embedding table has the adapter that the table has. */
  ensure_weight_tying?: boolean | undefined;
}

/** What PEFT adapts in Qwen2 and Llama when nothing is named. */
const peftDefaults = ['q_proj', 'v_proj'];

/** The names among those of a model's matrices that an adapter is for. @throws {AdapterError} for a broken pattern */
export function targetedMatrices(settings: TargetSettings, matrices: AdapterTargets): Set<string> {
  const { target_modules: targets, exclude_modules: excluded } = settings;
  const isAllLinear = typeof targets === 'string' && targets.toLowerCase() === 'all-linear';
  const isTarget = isAllLinear
    ? (name: string) => matrices.get(name)?.use === 'projection'
    : nameTest(targets ?? peftDefaults);
  // a list may have whole names, which mean themselves in any layer
  const isNamed = (name: string) => Array.isArray(targets) && targets.includes(name);
  const isLeftOut = excluded && excluded.length > 0 ? nameTest(excluded) : () => false;
  const saved = (settings.modules_to_save ?? []).map((text) =>
    pythonPattern(`^(?:(^|.*\\.)${text}($|\\..*))`, text),
  );
  const isExcluded = (name: string) => isLeftOut(name) || saved.some((pattern) => pattern.test(name));
  // PEFT refuses both together
  const inLayers = typeof targets === 'string' ? () => true : layerTest(settings);
  const found = new Set(
    [...matrices.keys()].filter(
      (name) => !isExcluded(name) && (isNamed(name) || (isTarget(name) && inLayers(name))),
    ),
  );
  for (const [name, { tiedTo }] of matrices) {
    if (!settings.ensure_weight_tying || tiedTo === undefined) continue;
    if (found.has(name) || found.has(tiedTo)) found.add(name).add(tiedTo);
  }
  return found;
}

/**
 * The weights among those of a model's files that PEFT's `modules_to_save` means: of every module whose name ends as
 * one of these, and of what is in it.
 */
export function savedWeights(
  { modules_to_save: modules, ensure_weight_tying: isTied }: TargetSettings,
  { savable, targets }: Pick<AdapterBase, 'savable' | 'targets'>,
): Set<string> {
  const isSaved = (weight: string) => {
    const parts = weight.split('.').slice(0, -1);
    const paths = parts.map((_, i) => parts.slice(0, i + 1).join('.'));
    return paths.some((path) => modules?.some((end) => path.endsWith(end)));
  };
  const found = new Set([...savable.keys()].filter(isSaved));
  for (const [name, { tiedTo }] of targets) {
    const both = [`${name}.weight`, `${tiedTo}.weight`];
    if (!isTied || tiedTo === undefined || !both.some((weight) => found.has(weight))) continue;
    for (const weight of both) found.add(weight);
  }
  return found;
}

/** A value that PEFT sets for modules whose name ends in, or matches, a pattern; of several patterns the first. */
export function fromPattern(
  patterns: Readonly<Record<string, number>> | null | undefined,
  name: string,
): number | undefined {
  const found = Object.keys(patterns ?? {}).find((pattern) =>
    pythonPattern(`^(?:(.*\\.)?(${pattern})$)`, pattern).test(name),
  );
  return found === undefined ? undefined : patterns?.[found];
}

function nameTest(wanted: readonly string[] | string): (name: string) => boolean {
  if (typeof wanted !== 'string')
    return (name) => wanted.some((target) => name === target || name.endsWith(`.${target}`));
  const pattern = pythonPattern(`^(?:${wanted})$`, wanted);
  return (name) => pattern.test(name);
}

function layerTest({
  layers_to_transform: layers,
  layers_pattern: given,
}: TargetSettings): (name: string) => boolean {
  const wanted = layers === null || layers === undefined ? [] : [layers].flat();
  if (wanted.length === 0) return () => true;
  const named = given === null || given === undefined ? [] : [given].flat();
  const patterns =
    named.length > 0 && named[0] !== ''
      ? named.map((text) => pythonPattern(`^(?:(?:^|.*?\\.)${text}\\.(?<idx>\\d+)\\.)`, text))
      : [/^.*?\.[^.]*\.(?<idx>\d+)\./];
  return (name) => {
    for (const pattern of patterns) {
      const index = pattern.exec(name)?.groups?.idx;
      if (index !== undefined) return wanted.includes(Number(index));
    }
    return false;
  };
}

/** A regular expression of Python as one of JavaScript. @param shown the part of it that a person wrote */
function pythonPattern(text: string, shown: string): RegExp {
  const source = text
    .replaceAll('(?P<', '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replaceAll('\\Z', '$')
    .replaceAll('\\A', '^');
  try {
    return new RegExp(source);
  } catch {
    throw new AdapterError(`${adapterConfigName}: "${shown}" is not a pattern for names of modules`);
  }
}
