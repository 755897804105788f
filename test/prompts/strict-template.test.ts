import { Template } from '@huggingface/jinja';
import fc from 'fast-check';
import nunjucks from 'nunjucks';
import { describe, expect, it } from 'vitest';
import { templateKinds } from '../../src/prompts/prompt-kinds.js';
import { fillIn } from '../../src/prompts/strict-template.js';

const reference = new nunjucks.Environment(null, {
  autoescape: false,
  throwOnUndefined: true,
  trimBlocks: true,
  lstripBlocks: true,
});

/** The same texts by another implementation of the language. */
function byNunjucks(template: string, variables: object): Record<string, unknown> {
  const compiled = new nunjucks.Template(template, reference) as unknown as {
    getExported(
      context: object,
      done: (error: Error | null, exported: Record<string, unknown>) => void,
    ): void;
  };
  let texts: Record<string, unknown> = {};
  compiled.getExported(variables, (error, exported) => {
    if (error) throw error;
    texts = exported;
  });
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, String(text)]));
}

const grid = fc
  .array(fc.stringMatching(/^[0-9 ]{1,8}$/), { minLength: 1, maxLength: 4 })
  .map((rows) => rows.join('\n'));
const grids = fc.record({
  train: fc.array(fc.record({ input: grid, output: grid }), { maxLength: 3 }),
  test: grid,
  inputs: fc.array(grid, { maxLength: 3 }),
  outputs: fc.array(grid, { maxLength: 3 }),
  code: grid,
  candidate: grid,
  candidates: fc.array(grid, { maxLength: 3 }),
  answer: grid,
});

it.each(templateKinds)('fills in $name as nunjucks does', ({ template }) => {
  fc.assert(
    fc.property(grids, (variables) => {
      expect(Object.fromEntries(fillIn(new Template(template), variables).blocks)).toEqual(
        byNunjucks(template, variables),
      );
    }),
    { numRuns: 30 },
  );
});

describe('a variable that nobody has set', () => {
  const fill = (text: string) => fillIn(new Template(`{% set user %}${text}{% endset %}`), { sample: {} });

  it.each([
    ['{{ inptus }}', 'inptus is not set'],
    ['{{ sample.output }}', 'sample.output is not set'],
    ['{% for grid in inputs %}x{% endfor %}', 'inputs is not set'],
  ])('is refused in %s', (text, message) => {
    expect(() => fill(text)).toThrow(message);
  });

  it('can be asked for', () => {
    const text = '{% if sample.output is defined %}known{% else %}unknown{% endif %}';
    expect(fill(text).blocks.get('user')).toBe('unknown');
  });
});
