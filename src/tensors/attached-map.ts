/**
 * A map by objects that keeps its values in them, under a symbol of its own. tfjs looks tensors up in WeakMaps, one in
 * the engine and one in each backend: entries that are made and dropped by the thousand in a step, and that cost the
 * garbage collector more than the tensors themselves.
 */
export class AttachedMap<V extends object> {
  readonly #key = Symbol('attached');
  #size = 0;

  /** How many objects have a value here. */
  get size(): number {
    return this.#size;
  }

  has(id: object): boolean {
    return this.get(id) !== undefined;
  }

  get(id: object): V | undefined {
    return (id as Record<symbol, V | undefined>)[this.#key];
  }

  set(id: object, value: V): this {
    if (!this.has(id)) this.#size++;
    (id as Record<symbol, V>)[this.#key] = value;
    return this;
  }

  delete(id: object): boolean {
    if (!this.has(id)) return false;
    this.#size--;
    // not `delete`, which would make a slow object of the id
    (id as Record<symbol, V | undefined>)[this.#key] = undefined;
    return true;
  }
}
