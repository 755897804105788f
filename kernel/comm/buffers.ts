/** A way to a value in nested objects and arrays: their keys and indices. */
export type ValuePath = (string | number)[];

/** A state whose binary parts are taken out, as the protocol of widgets sends it. */
export interface Separated {
  state: Record<string, unknown>;
  /** Where each of `buffers` belongs. */
  paths: ValuePath[];
  buffers: (ArrayBuffer | ArrayBufferView)[];
}

type Binary = ArrayBuffer | ArrayBufferView;

function isBinary(value: unknown): value is Binary {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * Takes typed arrays and buffers out of a state, which stays as it is. In an object their keys are left out, in an
 * array `null` stands for them, as ipywidgets does.
 */
export function takeBuffers(state: Record<string, unknown>): Separated {
  const paths: ValuePath[] = [];
  const buffers: Binary[] = [];
  const take = (value: unknown, path: ValuePath): unknown => {
    if (Array.isArray(value)) {
      return value.map((item, i) => (isBinary(item) ? put(item, [...path, i]) : take(item, [...path, i])));
    }
    if (!isPlain(value)) return value;
    const entries = Object.entries(value).flatMap(([key, item]) => {
      const at = [...path, key];
      if (!isBinary(item)) return [[key, take(item, at)] as const];
      put(item, at);
      return [];
    });
    return Object.fromEntries(entries);
  };
  const put = (buffer: Binary, path: ValuePath): null => {
    paths.push(path);
    buffers.push(buffer);
    return null;
  };
  return { state: take(state, []) as Record<string, unknown>, paths, buffers };
}

/**
 * Puts binary parts back into a state of the client, in place.
 * @returns what is wrong with the paths, if anything
 */
export function putBuffers(
  state: Record<string, unknown>,
  paths: unknown,
  buffers: readonly Uint8Array[],
): string | undefined {
  if (!Array.isArray(paths)) return 'its buffer_paths are no array';
  if (paths.length !== buffers.length) {
    return `it has ${buffers.length} buffers, and places for ${paths.length}`;
  }
  for (const [i, path] of paths.entries()) {
    const holder = Array.isArray(path) && path.length > 0 ? holderOf(state, path.slice(0, -1)) : undefined;
    const key: unknown = Array.isArray(path) ? path.at(-1) : undefined;
    const fits = Array.isArray(holder)
      ? Number.isInteger(key) && (key as number) >= 0 && (key as number) < holder.length
      : isPlain(holder) && typeof key === 'string';
    if (!fits) return `its state has no place ${JSON.stringify(path)} for a buffer`;
    // not by assignment, for which "__proto__" is no key
    const property = { value: buffers[i], writable: true, enumerable: true, configurable: true };
    Object.defineProperty(holder, key as PropertyKey, property);
  }
  return undefined;
}

function holderOf(state: unknown, path: readonly unknown[]): unknown {
  let holder = state;
  for (const key of path) {
    const isKey = typeof key === 'string' || typeof key === 'number';
    if (!isKey || typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key))
      return undefined;
    holder = (holder as Record<PropertyKey, unknown>)[key];
  }
  return holder;
}
