/** YAML as Python's library reads and writes it, which is what jupytext does: YAML 1.1 with a few differences. */
import { Document, parse, Scalar, type ScalarTag, type Tags, visit } from 'yaml';

const CORE = 'tag:yaml.org,2002:';

/** What the standard takes for another type than that library does: `y` and `n` are letters, `1e3` is text. */
const letters: Record<string, string> = {
  [`${CORE}bool`]: '(?![YyNn]$)',
  [`${CORE}float`]: '(?=.*\\.)(?!.*[eE][0-9])',
};

/** A number as that library knows one: `1.0e+30`, where JavaScript writes `1e+30`. */
const exponent: ScalarTag = {
  tag: `${CORE}float`,
  default: true,
  identify: (value) => typeof value === 'number' && String(value).includes('e'),
  // for writing only
  test: /^(?!)/,
  resolve: Number,
  stringify: ({ value }) => String(value).replace(/^(-?\d)(?=e)/, '$1.0'),
};

const isTag = (tag: Tags[number]): tag is ScalarTag => typeof tag === 'object';

function forReading(tags: Tags): Tags {
  return tags.map((tag) => {
    if (!isTag(tag) || tag.test === undefined || !Object.hasOwn(letters, tag.tag)) return tag;
    return { ...tag, test: new RegExp(`^${letters[tag.tag]}(?:${tag.test.source})`) };
  });
}

function forWriting(tags: Tags): Tags {
  return [exponent, ...tags.filter((tag) => tag !== 'merge' && !(isTag(tag) && tag.tag === `${CORE}merge`))];
}

/** Reads YAML. @throws {Error} where it is none */
export function parseYaml(text: string): unknown {
  return parse(text, { version: '1.1', logLevel: 'error', customTags: forReading });
}

/** Writes a value: names sorted, lists not indented, text in quotes where YAML 1.1 needs them. */
export function stringifyYaml(value: object): string {
  const document = new Document(value, {
    version: '1.1',
    aliasDuplicateObjects: false,
    sortMapEntries: true,
    customTags: forWriting,
  });
  visit(document, {
    // these two have a meaning of their own
    Scalar(_, node) {
      if (node.value === '=' || node.value === '<<') node.type = Scalar.QUOTE_SINGLE;
    },
  });
  return document.toString({ indentSeq: false, singleQuote: true, lineWidth: 0 });
}
