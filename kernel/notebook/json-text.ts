/**
 * JSON as text with the places of its parts, so that one part can be replaced and every other byte stays.
 * The values themselves are `JSON.parse`'s; here are only positions, and better words for what is wrong. Python
 * writes numbers that JSON does not have as `NaN`, `Infinity` and `-Infinity`, also into notebooks: they are read so.
 */

/** A value of a JSON text: `text.slice(start, end)`. */
export type JsonNode =
  | { kind: 'object'; start: number; end: number; members: JsonMember[] }
  | { kind: 'array'; start: number; end: number; items: JsonNode[] }
  | { kind: 'scalar'; start: number; end: number };

export type JsonObject = Extract<JsonNode, { kind: 'object' }>;

/** A name in an object, with its quotes at `[start, nameEnd)`, and what it names. */
export interface JsonMember {
  name: string;
  start: number;
  nameEnd: number;
  value: JsonNode;
}

/** A text that is not JSON. `offset` counts UTF-16 units. */
export class JsonSyntaxError extends Error {
  override name = 'JsonSyntaxError';

  constructor(
    readonly text: string,
    readonly offset: number,
    readonly expected: string,
  ) {
    const before = text.slice(0, offset).split('\n');
    const rest = text.slice(offset);
    const found = /^(?:[\w.+-]{1,20}|[\s\S]?)/u.exec(rest)![0];
    super(
      `line ${before.length}, column ${before.at(-1)!.length + 1}: expected ${expected}, ` +
        `found ${found === '' ? 'the end of the file' : JSON.stringify(found)}`,
    );
  }
}

/** No real notebook is nested deeper, and the parser recurses. */
const MAXIMUM_DEPTH = 500;

/** Parses a JSON text; a byte order mark in front is skipped. @throws {JsonSyntaxError} */
export function parseJsonText(text: string): JsonNode {
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;

  const fail = (expected: string, offset = at): never => {
    throw new JsonSyntaxError(text, offset, expected);
  };

  function skipSpace(): void {
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  function skipString(): void {
    const start = at++;
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 0x22) break;
      if (code === 0x5c) {
        const sequence = /["\\/bfnrt]|u[0-9a-fA-F]{4}/y;
        sequence.lastIndex = at + 1;
        if (!sequence.test(text)) fail('an escape such as \\n or \\u0041 after the backslash', at + 1);
        at = sequence.lastIndex - 1;
      } else if (Number.isNaN(code)) {
        fail(`the closing quote of the string that begins with ${text.slice(start, start + 20)}`);
      } else if (code < 0x20) {
        fail('the string to go on in the same line (a line break in it is written \\n)');
      }
    }
    at++;
  }

  function skipScalar(): void {
    const scalar =
      /(?:true|false|null|NaN|-?Infinity|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-])/y;
    scalar.lastIndex = at;
    if (!scalar.test(text)) fail('a value');
    at = scalar.lastIndex;
  }

  function parseObject(depth: number): JsonNode {
    const start = at++;
    const members: JsonMember[] = [];
    skipSpace();
    while (text[at] !== '}') {
      if (members.length > 0) {
        if (text[at] !== ',') fail("',' or '}'");
        at++;
        skipSpace();
      }
      const nameStart = at;
      if (text[at] !== '"') fail(members.length > 0 ? 'a name in quotes' : "a name in quotes or '}'");
      skipString();
      const nameEnd = at;
      skipSpace();
      if (text[at] !== ':') fail("':'");
      at++;
      const value = parseValue(depth);
      members.push({
        name: JSON.parse(text.slice(nameStart, nameEnd)) as string,
        start: nameStart,
        nameEnd,
        value,
      });
      skipSpace();
    }
    return { kind: 'object', start, end: ++at, members };
  }

  function parseArray(depth: number): JsonNode {
    const start = at++;
    const items: JsonNode[] = [];
    skipSpace();
    while (text[at] !== ']') {
      if (items.length > 0) {
        if (text[at] !== ',') fail("',' or ']'");
        at++;
      }
      items.push(parseValue(depth));
      skipSpace();
    }
    return { kind: 'array', start, end: ++at, items };
  }

  function parseValue(depth: number): JsonNode {
    skipSpace();
    if (depth > MAXIMUM_DEPTH) fail(`at most ${MAXIMUM_DEPTH} levels of nesting`);
    const start = at;
    const first = text[at];
    if (first === '{') return parseObject(depth + 1);
    if (first === '[') return parseArray(depth + 1);
    if (first === '"') skipString();
    else skipScalar();
    return { kind: 'scalar', start, end: at };
  }

  const root = parseValue(0);
  skipSpace();
  if (at < text.length) fail('nothing after the end of the document');
  return root;
}

/** The value of a JSON text; a byte order mark in front is skipped. @throws {JsonSyntaxError} */
export function parseJsonValue(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return readValue(parseJsonText(text), text);
  }
}

function readValue(node: JsonNode, text: string): unknown {
  if (node.kind === 'array') return node.items.map((item) => readValue(item, text));
  if (node.kind === 'object') {
    return Object.fromEntries(node.members.map(({ name, value }) => [name, readValue(value, text)]));
  }
  const scalar = text.slice(node.start, node.end);
  return /^(NaN|-?Infinity)$/.test(scalar) ? Number(scalar) : JSON.parse(scalar);
}

/** The member that counts: of two with the same name, `JSON.parse` takes the last. */
export function memberOf(node: JsonNode | undefined, name: string): JsonMember | undefined {
  return node?.kind === 'object' ? node.members.findLast((member) => member.name === name) : undefined;
}
