/** The JSON header of a safetensors file, checked as the reference library checks it. */
import { messageOf } from '../common/errors.js';
import { compileSchema } from '../common/schema.js';
import { SafetensorsError } from './errors.js';
import { elementBytes } from './number-formats.js';

/** https://github.com/huggingface/safetensors#format: 8 bytes of header length, a JSON header, the data. */
export interface TensorEntry {
  dtype: string;
  shape: number[];
  /** Where its bytes are, counted from the end of the header. */
  data_offsets: [number, number];
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

const wholeNumber = { type: 'integer', minimum: 0 } as const;

const validate = compileSchema<Record<string, TensorEntry> & { __metadata__?: Record<string, string> }>(
  {
    type: 'object',
    properties: { __metadata__: { type: 'object', additionalProperties: { type: 'string' } } },
    additionalProperties: {
      type: 'object',
      required: ['dtype', 'shape', 'data_offsets'],
      properties: {
        dtype: { type: 'string' },
        shape: { type: 'array', items: wholeNumber },
        data_offsets: { type: 'array', minItems: 2, maxItems: 2, items: wholeNumber },
      },
    },
  },
  'the header of a safetensors file',
);

/**
 * Reads a header. The tensors must cover all bytes after it, one behind the other in any order of their names.
 * @param text the header
 * @param dataBytes bytes of the file behind the header
 * @throws {UserError} naming the file and the tensor
 */
export function parseHeader(path: string, text: string, dataBytes: number): SafetensorsHeader {
  const damaged = (what: string) => new SafetensorsError(`${path}: not a safetensors file: ${what}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw damaged(`its header is not JSON: ${messageOf(error)}`);
  }
  const { __metadata__: metadata = {}, ...entries } = validate(json, path);
  const inOrder = Object.entries(entries).sort(
    ([, { data_offsets: a }], [, { data_offsets: b }]) => a[0] - b[0] || a[1] - b[1],
  );
  let covered = 0;
  for (const [name, { dtype, shape, data_offsets: offsets }] of inOrder) {
    const [start, end] = offsets;
    const bytes = shape.reduce((product, n) => product * n, elementBytes(dtype, `${path}: tensor ${name}`));
    if (end - start !== bytes) {
      throw damaged(`tensor ${name} has shape [${shape}] of ${dtype} in ${end - start} bytes`);
    }
    if (start !== covered) {
      const wrong =
        start < covered ? 'overlaps the tensor before it' : 'leaves bytes before it that no tensor has';
      throw damaged(`tensor ${name} begins at byte ${start} of the data, expected ${covered}: it ${wrong}`);
    }
    covered = end;
    if (covered > dataBytes) {
      throw new SafetensorsError(
        `${path}: truncated: tensor ${name} ends at byte ${covered} of the data, the file has ${dataBytes}. ` +
          'Download or copy it again',
      );
    }
  }
  if (covered < dataBytes) {
    throw damaged(`its tensors end at byte ${covered} of the data, the file has ${dataBytes}`);
  }
  return { tensors: new Map(Object.entries(entries)), metadata };
}
