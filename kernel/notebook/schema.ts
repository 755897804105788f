import { Ajv, type ErrorObject } from 'ajv';
import { UserError } from '../../src/common/errors.js';

const text = { type: ['string', 'array'], items: { type: 'string' } };
const count = { type: ['integer', 'null'], minimum: 0 };
const mimeBundle = {
  type: 'object',
  patternProperties: { '^application/(.*\\+)?json$': {} },
  additionalProperties: text,
};
const id = { type: 'string', pattern: '^[a-zA-Z0-9_-]+$', minLength: 1, maxLength: 64 };
const cellMetadata = {
  type: 'object',
  properties: {
    name: { type: 'string', pattern: '^.+$' },
    tags: { type: 'array', uniqueItems: true, items: { type: 'string', pattern: '^[^,]+$' } },
    jupyter: { type: 'object' },
    execution: { type: 'object', additionalProperties: { type: 'string' } },
    collapsed: { type: 'boolean' },
    scrolled: { enum: [true, false, 'auto'] },
    format: { type: 'string' },
  },
};

/** An object that has all of `properties`, and nothing else but `optional` ones. */
const exactly = (properties: object, optional: object = {}) => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties),
  properties: { ...properties, ...optional },
});

const output = {
  type: 'object',
  required: ['output_type'],
  discriminator: { propertyName: 'output_type' },
  oneOf: [
    exactly({
      output_type: { const: 'execute_result' },
      execution_count: count,
      data: mimeBundle,
      metadata: { type: 'object' },
    }),
    exactly({ output_type: { const: 'display_data' }, data: mimeBundle, metadata: { type: 'object' } }),
    exactly({ output_type: { const: 'stream' }, name: { type: 'string' }, text }),
    exactly({
      output_type: { const: 'error' },
      ename: { type: 'string' },
      evalue: { type: 'string' },
      traceback: { type: 'array', items: { type: 'string' } },
    }),
  ],
};

const attachments = { type: 'object', additionalProperties: mimeBundle };
const cellOf = (type: string, more: object, optional: object) =>
  exactly({ cell_type: { const: type }, id, metadata: cellMetadata, source: text, ...more }, optional);

const cell = {
  type: 'object',
  required: ['cell_type'],
  discriminator: { propertyName: 'cell_type' },
  oneOf: [
    cellOf('code', { execution_count: count, outputs: { type: 'array', items: output } }, {}),
    cellOf('markdown', {}, { attachments }),
    cellOf('raw', {}, { attachments }),
  ],
};

/** nbformat 4.5 as the format's documentation describes it. */
const notebookSchema = exactly({
  nbformat: { const: 4 },
  nbformat_minor: { type: 'integer', minimum: 5 },
  metadata: {
    type: 'object',
    properties: {
      kernelspec: {
        type: 'object',
        required: ['name', 'display_name'],
        properties: { name: { type: 'string' }, display_name: { type: 'string' } },
      },
      language_info: {
        type: 'object',
        required: ['name'],
        properties: {
          name: { type: 'string' },
          codemirror_mode: { type: ['string', 'object'] },
          file_extension: { type: 'string' },
          mimetype: { type: 'string' },
          pygments_lexer: { type: 'string' },
        },
      },
      title: { type: 'string' },
      authors: { type: 'array' },
    },
  },
  cells: { type: 'array', items: cell },
});

const validate = new Ajv({ discriminator: true, strict: false, verbose: true }).compile(notebookSchema);

/** @throws {UserError} naming the source, the path in the notebook, what was expected and what was found */
export function assertNotebook(value: unknown, source: string): void {
  if (validate(value)) return;
  const error = validate.errors![0]!;
  const place = error.instancePath === '' ? 'the top level' : error.instancePath;
  throw new UserError(
    `${source}: not a notebook of nbformat 4.5: at ${place}: ${expectation(error)}, found ${found(error.data)}`,
  );
}

/** What a keyword of JSON Schema asks for, where ajv's own words are hard to read. */
function expectation({ keyword, params, message = 'is wrong' }: ErrorObject): string {
  switch (keyword) {
    case 'discriminator': {
      const known = params.tag === 'cell_type' ? cell : output;
      const names = known.oneOf.map(
        ({ properties }) => (properties as Record<string, { const?: string }>)[params.tag]!.const,
      );
      return `${params.tag} must be one of ${names.join(', ')}`;
    }
    case 'const':
      return `must be ${JSON.stringify(params.allowedValue)}`;
    case 'enum':
      return `must be one of ${(params.allowedValues as unknown[]).join(', ')}`;
    case 'additionalProperties':
      return `must not have the property ${JSON.stringify(params.additionalProperty)}`;
    default:
      return message;
  }
}

function found(data: unknown): string {
  const text = JSON.stringify(data) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
