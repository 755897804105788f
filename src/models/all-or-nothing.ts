/** Owns tensors, and disposes of them when they are not needed. */
interface Disposable {
  dispose(): void;
}

/** Makes several tensors. When one of them cannot be made, those that were passed to `own` before are given back. */
export function allOrNothing<T>(make: (own: <O extends Disposable>(made: O) => O) => T): T {
  const made: Disposable[] = [];
  const own = <O extends Disposable>(object: O): O => {
    made.push(object);
    return object;
  };
  try {
    return make(own);
  } catch (error) {
    for (const object of made) object.dispose();
    throw error;
  }
}
