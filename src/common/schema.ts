import type { ErrorObject, JSONSchemaType, Schema } from 'ajv';
import { UserError } from './errors.js';
import { nearestName } from './option-names.js';
import { prepare } from './schema-compiler.js';

/** A check that a value has a given shape; throws a UserError that says where it has not. */
export type Validator<T> = (value: unknown, source: string) => T;

/** What an ajv error found, in words short enough for one line. */
function found(data: unknown): string {
  const text = JSON.stringify(data) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** The property of a schema that was probably meant by a name that it does not have, as a hint. */
function hintFor({ params, schemaPath }: ErrorObject, schema: object): string {
  // `#/properties/dataset/additionalProperties`: what stands before the last part has the properties
  const owner = valueAt(schema, schemaPath.slice(1, schemaPath.lastIndexOf('/'))) as { properties?: object };
  const nearest = nearestName(params.additionalProperty, Object.keys(owner?.properties ?? {}));
  return nearest === undefined ? '' : ` (did you mean ${JSON.stringify(nearest)}?)`;
}

/** What a keyword of JSON Schema asks for, where ajv's own words are hard to read. */
function expectation(error: ErrorObject, schema: object): string {
  const { keyword, params, message = 'is wrong' } = error;
  switch (keyword) {
    case 'enum':
      return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
    case 'additionalProperties':
      return `must not have the property ${JSON.stringify(params.additionalProperty)}${hintFor(error, schema)}`;
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

/** What stands at a path such as `/models/0`; in a path ~1 stands for a slash and ~0 for a tilde. */
function valueAt(root: unknown, path: string): unknown {
  let value = root;
  for (const part of path.split('/').slice(1))
    value = (value as Record<string, unknown> | undefined)?.[
      part.replaceAll('~1', '/').replaceAll('~0', '~')
    ];
  return value;
}

function describe(error: ErrorObject, root: unknown, schema: object): string {
  const path = error.instancePath === '' ? 'the top level' : error.instancePath;
  // a name that a property must not have is told apart from what the property holds
  const data = error.propertyName ?? valueAt(root, error.instancePath);
  // a list that is too long would not fit into the line
  const count = error.keyword === 'maxItems' ? `${(data as unknown[]).length} items: ` : '';
  return `at ${path}: ${expectation(error, schema)}, found ${count}${found(data)}`;
}

/**
 * The check of a JSON Schema, which must be known when its module is loaded: a build of a Kaggle notebook compiles the
 * schemas that are passed to this function. The error names the source (a file), the path inside it, what was
 * expected and what was found.
 */
export function compileSchema<T>(schema: Schema | JSONSchemaType<T>, what: string): Validator<T> {
  const check = prepare(schema as object);
  return (value, source) => {
    const validate = check();
    if (validate(value)) return value as T;
    const [first] = validate.errors ?? [];
    throw new UserError(
      `${source}: not ${what}: ${first ? describe(first, value, schema as object) : 'wrong shape'}`,
    );
  };
}
