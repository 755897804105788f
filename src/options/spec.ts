/** @file The declaration of an option, and the types that follow from it. */

/** A data set, a prompt kind, and how often the pair is drawn where it is not once. */
export type DatasetPair = readonly [path: string, kind: string, weight?: number];

/** What values an option may have, in the words of JSON Schema, and what it is when it is not given. */
export interface ValueSpec {
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: ValueSpec;
  readonly properties?: Readonly<Record<string, ValueSpec>>;
  /** A value outside of the range that turns the option off, or means "all" or "at the end". */
  readonly off?: number;
  /** Values that JSON Schema has no word for; a front end reads them from text in a way of its own. */
  readonly form?: 'pairs' | 'weights' | 'seconds' | 'range';
  /** One value may stand for a list of one. */
  readonly single?: true;
}

/** One option: its values, and what front ends need for it. */
export interface OptionSpec extends ValueSpec {
  /**
   * An object whose parts are options: `lora: { r: 16 }`. Each has its own default, its own flag on the command line,
   * and is named as `lora.r` in messages.
   */
  readonly parts?: OptionTable;
  /** What it is when it is not given; without one, what the description says. */
  readonly default?: unknown;
  readonly required?: true;
  /** One line, with units. Other options are named as code. */
  readonly description: string;
  /** The flag of the command line, where it is called otherwise. */
  readonly flag?: string;
  /** On the command line it is an argument and has no flag. */
  readonly argument?: true;
  /** On the command line, what stands between the items of a list that is one word. */
  readonly separator?: string;
  /** What help calls its value. */
  readonly value?: string;
  /** May differ when a run is continued: it changes what is shown and stored, not what is learnt. */
  readonly free?: true;
  /** Says where things are: a Kaggle notebook finds these by itself. */
  readonly surroundings?: true;
  /** Changes predictions: its letters in the name of a result file, where it is not the default. */
  readonly label?: string;
  /** Names that it had in earlier versions; those of a part stood beside the others. */
  readonly formerly?: readonly string[];
  /** Values that were spelled otherwise in earlier versions, by that spelling. */
  readonly formerValues?: Readonly<Record<string, string>>;
}

export interface OptionTable {
  readonly [name: string]: OptionSpec;
}

/** The type of an option's values. */
export type ValueOf<S> = S extends { parts: infer P }
  ? OptionsOf<P>
  : S extends { form: 'pairs' }
    ? readonly DatasetPair[]
    : S extends { form: 'weights' }
      ? Readonly<Record<string, number>>
      : S extends { form: 'range' }
        ? number | readonly [number, number]
        : S extends { enum: readonly (infer E)[] }
          ? E
          : S extends { single: true; items: infer I }
            ? ValueOf<I> | readonly ValueOf<I>[]
            : S extends { type: 'array'; items: infer I }
              ? readonly ValueOf<I>[]
              : S extends { type: 'object'; properties: infer P }
                ? { readonly [K in keyof P]?: ValueOf<P[K]> }
                : S extends { type: 'string' }
                  ? string
                  : S extends { type: 'boolean' }
                    ? boolean
                    : S extends { type: 'integer' | 'number' }
                      ? number
                      : never;

type Named<T, Condition> = { [K in keyof T]: T[K] extends Condition ? K : never }[keyof T];
type Simplify<T> = { [K in keyof T]: T[K] };

/** What a caller gives: required options, and any of the others. */
export type OptionsOf<T> = Simplify<
  { [K in Named<T, { required: true }>]: ValueOf<T[K]> } & {
    [K in Exclude<keyof T, Named<T, { required: true }>>]?: ValueOf<T[K]> | undefined;
  }
>;

type WithDefault<T> = Named<T, { default: unknown }> | Named<T, { parts: unknown }>;
type Filled<T> = Named<T, { required: true }> | WithDefault<T>;
type FilledValueOf<S> = S extends { parts: infer P } ? ConfigOf<P> : ValueOf<S>;

/** Options with every default filled in. */
export type ConfigOf<T> = Simplify<
  { [K in Filled<T>]: FilledValueOf<T[K]> } & { [K in Exclude<keyof T, Filled<T>>]?: ValueOf<T[K]> }
>;

/** The defaults of a table. */
export type DefaultsOf<T> = {
  [K in WithDefault<T>]: T[K] extends { parts: infer P } ? DefaultsOf<P> : ValueOf<T[K]>;
};

/** Any of the options of a table. */
export type GivenOf<T> = { [K in keyof T]?: ValueOf<T[K]> };

/** An option that has no parts. */
export interface Leaf {
  /** `lora.r` for a part. */
  readonly name: string;
  readonly path: readonly string[];
  readonly spec: OptionSpec;
}

/** The options of a table, and the parts of those that have some. */
export function leavesOf(table: OptionTable, path: readonly string[] = []): Leaf[] {
  return Object.entries(table).flatMap(([key, spec]): Leaf[] => {
    const own = [...path, key];
    return spec.parts ? leavesOf(spec.parts, own) : [{ name: own.join('.'), path: own, spec }];
  });
}

/** The options of a table that have a flag on the command line. */
export const flaggedLeaves = (table: OptionTable): Leaf[] =>
  leavesOf(table).filter(({ spec }) => spec.argument !== true);

/** The flag of an option, in camel case. */
export const flagOf = ({ path, spec }: Leaf): string => spec.flag ?? path.at(-1)!;

/** `maxSteps` → `max_steps`: how flags are written in messages, help and documents. */
export const flagName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
