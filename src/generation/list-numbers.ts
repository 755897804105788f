/** Numbers lists of integers from 0 on, equal ones alike: long lists as short keys. */
export class ListNumbers {
  /** By a hash, which different lists may share. */
  readonly #known = new Map<number, { readonly list: readonly number[]; readonly number: number }[]>();
  #count = 0;

  of(list: readonly number[]): number {
    const hash = list.reduce((sum, value) => Math.imul(sum ^ value, 0x01000193), list.length);
    const alike = this.#known.get(hash) ?? [];
    this.#known.set(hash, alike);
    const found = alike.find((known) => isEqual(known.list, list));
    if (found) return found.number;
    alike.push({ list, number: this.#count });
    return this.#count++;
  }
}

const isEqual = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);
