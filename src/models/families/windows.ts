import { ModelFileError } from '../errors.js';
import type { Family, Settings, WindowRule } from './family.js';

/** The rule of families whose layers all have the same window, where there is one. */
export const oneWindow = ({ sliding_window: window }: Settings): WindowRule => ({
  window,
  hasWindow: () => window != null,
});

/** What speaks against that rule: types of layers that these families do not heed. */
export const oneWindowRefusal = ({
  layer_types: types,
  sliding_window: window,
  model_type: modelType,
}: Settings): string | undefined =>
  types?.some((type) => (type === 'sliding_attention') !== (window != null))
    ? `layer_types differ from what a ${modelType} model does: with sliding_window ${window} ` +
      `${window == null ? 'no layer has a window' : 'every layer has it'}`
    : undefined;

/** Qwen's rule: where windows are used, all layers behind the first `max_window_layers` have one. */
export const qwenWindows = ({
  use_sliding_window: used,
  sliding_window: window = 4096,
  max_window_layers: first = 28,
}: Settings): WindowRule => ({
  window: used ? window : null,
  hasWindow: (layer) => !!used && window !== null && layer >= first,
});

/**
 * How many positions the queries of each layer see, null for all; undefined where all see all. Layers choose by
 * `layer_types`, or by the family's rule where config.json has none.
 * @throws {ModelFileError} for types of layers that are not known, or that do not fit the other settings
 */
export function readWindows(
  family: Family,
  settings: Settings,
  source: string,
): (number | null)[] | undefined {
  const refuse = (what: string): never => {
    throw new ModelFileError(`${source}: ${what}`);
  };
  const { layer_types: types, num_hidden_layers: layers } = settings;
  const rule = family.windows?.(settings);
  if (types && types.length !== layers) {
    refuse(`layer_types has ${types.length} entries, num_hidden_layers is ${layers}`);
  }
  const other = types?.find((type) => type !== 'sliding_attention' && type !== 'full_attention');
  if (other !== undefined) {
    refuse(`layer_types "${other}" is not supported, expected "full_attention" or "sliding_attention"`);
  }
  const hasWindow = Array.from({ length: layers }, (_, layer) =>
    types ? types[layer] === 'sliding_attention' : !!rule?.hasWindow(layer),
  );
  if (!hasWindow.includes(true)) return undefined;
  if (!rule) return refuse(`sliding-window attention is not part of a ${family.modelType} model`);
  const { window } = rule;
  if (!window) {
    return refuse(
      'layer_types names layers with sliding_attention, and no window is set; expected a number sliding_window' +
        (settings.use_sliding_window === false ? ' and use_sliding_window true' : ''),
    );
  }
  return hasWindow.map((has) => (has ? window : null));
}
