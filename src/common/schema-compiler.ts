import { Ajv, type ErrorObject, type Options } from 'ajv';

/** A compiled JSON Schema: whether a value has its shape; `errors` holds the first reason when it has not. */
export interface Check {
  (value: unknown): boolean;
  errors?: readonly ErrorObject[] | null;
}

/** How ajv reads our schemas, wherever they are compiled. */
export const ajvOptions: Options = { allErrors: false, allowUnionTypes: true, strict: false };

let ajv: Ajv | undefined;

/**
 * Makes the check of a schema when it is first asked for: of all schemas a command needs a few. A Kaggle notebook has
 * `templates/kaggle/schema-compiler.ts` in this module's place, whose checks were compiled when it was built.
 */
export function prepare(schema: object): () => Check {
  let check: Check | undefined;
  return () => {
    ajv ??= new Ajv(ajvOptions);
    check ??= ajv.compile(schema) as Check;
    return check;
  };
}
