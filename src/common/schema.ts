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

/** What a keyword of JSON Schema asks for, where ajv's own words are hard to read. */
function expectation({ keyword, params, message = 'is wrong' }: ErrorObject): string {
  switch (keyword) {
    case 'enum':
      return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
    case 'additionalProperties':
      return `must not have the property ${JSON.stringify(params.additionalProperty)}`;
    case 'minItems':
      return `must have at least ${params.limit} ${params.limit === 1 ? 'item' : 'items'}`;
    case 'maxItems':
      return `must have at most ${params.limit} items`;
    case 'minProperties':
      return 'must not be empty';
    case 'minimum':
      return `must be at least ${params.limit}`;
    case 'maximum':
      return `must be at most ${params.limit}`;
    case 'type':
      return `must be ${[params.type].flat().join(' or ')}`;
    default:
      return message;
  }
}

function describe(error: ErrorObject): string {
  const path = error.instancePath === '' ? 'the top level' : error.instancePath;
  // a list that is too long would not fit into the line
  const count = error.keyword === 'maxItems' ? `${(error.data as unknown[]).length} items: ` : '';
  return `at ${path}: ${expectation(error)}, found ${count}${found(error.data)}`;
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
