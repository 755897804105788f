import { Environment, Interpreter, type Template } from '@huggingface/jinja';

type Evaluate = Interpreter['evaluate'];
type Statement = Parameters<Evaluate>[0];

/** Jinja that refuses an unset variable, where chat templates show nothing in its place. */
class StrictInterpreter extends Interpreter {
  #asking = 0;

  override evaluate(statement: Statement, environment: Environment): ReturnType<Evaluate> {
    const asks = statement !== undefined && statement.type === 'TestExpression';
    if (asks) this.#asking++;
    try {
      const value = super.evaluate(statement, environment);
      const isVariable = statement?.type === 'Identifier' || statement?.type === 'MemberExpression';
      if (isVariable && value.type === 'UndefinedValue' && this.#asking === 0)
        throw new Error(`${nameOf(statement)} is not set`);
      return value;
    } finally {
      if (asks) this.#asking--;
    }
  }
}

/** `sample.output`, for an error. */
function nameOf(statement: Statement): string {
  const { type, value, object, property } = statement as unknown as {
    type: string;
    value?: unknown;
    object?: Statement;
    property?: Statement;
  };
  if (type === 'MemberExpression' && object && property) return `${nameOf(object)}.${nameOf(property)}`;
  return String(value);
}

/** A template that was filled in: what it writes, and the texts that it sets at its top level. */
export interface FilledIn {
  readonly text: string;
  readonly blocks: ReadonlyMap<string, string>;
}

/**
 * Fills in a Jinja template, in the dialect of models' chat templates.
 * @throws {Error} when it is no template, or shows a variable that is not set
 */
export function fillIn(template: Template, variables: object): FilledIn {
  const environment = new Environment();
  for (const [name, value] of Object.entries(variables)) environment.set(name, value);
  // before the run, so that what is set in it can be told
  const given = new Set(environment.variables.keys());
  const { value: text } = new StrictInterpreter(environment).run(template.parsed);
  const blocks = new Map(
    [...environment.variables]
      .filter(([name, { type }]) => !given.has(name) && type === 'StringValue')
      .map(([name, { value }]) => [name, String(value)]),
  );
  return { text: String(text), blocks };
}
