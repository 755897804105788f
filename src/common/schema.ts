import { Ajv, type ErrorObject, type JSONSchemaType, type Schema } from 'ajv';
import { UserError } from './errors.js';

const ajv = new Ajv({ allErrors: false, allowUnionTypes: true, strict: false, verbose: true });

/** A check that a value has a given shape; throws a UserError that says where it has not. */
export type Validator<T> = (value: unknown, source: string) => T;

/** What an ajv error found, in words short enough for one line. */
function found(data: unknown): string {
  const text = JSON.stringify(data) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function describe(error: ErrorObject): string {
  const path = error.instancePath === '' ? 'the top level' : error.instancePath;
  let expected = error.message ?? 'is wrong';
  if (error.keyword === 'enum') {
    expected = `must be one of ${(error.params.allowedValues as unknown[]).join(', ')}`;
  } else if (error.keyword === 'additionalProperties') {
    expected = `must NOT have the property ${JSON.stringify(error.params.additionalProperty)}`;
  }
  return `at ${path}: ${expected}, found ${found(error.data)}`;
}

/**
 * Compiles a JSON Schema once and returns the check. The error names the source (a file), the path inside
 * it, what was expected and what was found.
 */
export function compileSchema<T>(schema: Schema | JSONSchemaType<T>, what: string): Validator<T> {
  const validate = ajv.compile<T>(schema as Schema);
  return (value, source) => {
    if (validate(value)) return value;
    const [first] = validate.errors ?? [];
    throw new UserError(`${source}: not ${what}: ${first ? describe(first) : 'wrong shape'}`);
  };
}
