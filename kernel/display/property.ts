/** A property of any value; undefined also where a proxy or a getter throws. */
export function property(value: unknown, name: PropertyKey): unknown {
  try {
    return (value as Record<PropertyKey, unknown> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

/** Whether a value has methods of these names. */
export function hasMethods(value: unknown, ...names: string[]): boolean {
  return names.every((name) => typeof property(value, name) === 'function');
}

/** Calls a method of a value that has it. */
export function call(value: unknown, name: string, ...args: unknown[]): unknown {
  return (value as Record<string, (...args: unknown[]) => unknown>)[name]!(...args);
}
