import nunjucks from 'nunjucks';
import inputFromInputsMini from '../../templates/prompts/input-from-inputs-mini.njk';
import inputFromInputsV0 from '../../templates/prompts/input-from-inputs-v0.njk';
import outputFromExamplesMini from '../../templates/prompts/output-from-examples-mini.njk';
import outputFromExamplesV0 from '../../templates/prompts/output-from-examples-v0.njk';
import outputFromExamplesV1 from '../../templates/prompts/output-from-examples-v1.njk';
import outputFromOutputsMini from '../../templates/prompts/output-from-outputs-mini.njk';
import outputFromOutputsV0 from '../../templates/prompts/output-from-outputs-v0.njk';
import { PromptKindError } from './errors.js';

/** What a prompt asks for: the output of a rule, or one more grid like those that are shown. */
export type PromptTask = 'output-from-examples' | 'input-from-inputs' | 'output-from-outputs';

/** A message of a chat. */
export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What a template may show: encoded grids. Which of them are set depends on the prompt's task. */
export interface PromptGrids {
  /** output-from-examples: the samples that show the rule. */
  readonly train?: readonly { readonly input: string; readonly output: string }[];
  /** output-from-examples: the input to apply the rule to. */
  readonly test?: string;
  /** input-from-inputs: the inputs to continue. */
  readonly inputs?: readonly string[];
  /** output-from-outputs: the outputs to continue. */
  readonly outputs?: readonly string[];
}

/** A prompt before the chat template: the messages up to the assistant's, and how the assistant's begins. */
export interface PromptText {
  readonly messages: readonly ChatMessage[];
  /** What stands in the assistant's message before the answer; part of the prompt, never generated. */
  readonly leadIn: string;
}

/** A way of asking. */
export interface PromptKind {
  readonly name: string;
  readonly task: PromptTask;
  /** The source of its nunjucks template, which sets `system` (optional), `user` and `assistant`. */
  readonly template: string;
  /** Fills in the template. */
  render(grids: PromptGrids): PromptText;
}

const environment = new nunjucks.Environment(null, {
  autoescape: false,
  throwOnUndefined: true,
  trimBlocks: true,
  lstripBlocks: true,
});

/** Stands for the answer while a template is filled in. Private use: no text of ours contains it. */
const answerMark = '\uE000';

/** The typings know only `render`; exported are the variables that a template sets at its top level. */
interface ExportingTemplate {
  getExported(
    context: object,
    done: (error: Error | null, exported: Record<string, unknown> | null) => void,
  ): void;
}

/** Makes a prompt kind of a template. @throws {PromptKindError} when filled in it lacks a part. */
export function definePromptKind(name: string, task: PromptTask, template: string): PromptKind {
  let compiled: ExportingTemplate | undefined;
  return {
    name,
    task,
    template,
    render(grids) {
      compiled ??= new nunjucks.Template(template, environment, name) as unknown as ExportingTemplate;
      let parts: Record<string, unknown> = {};
      compiled.getExported({ ...grids, answer: answerMark }, (error, exported) => {
        if (error) throw new PromptKindError(`Template of prompt kind "${name}": ${error.message}`);
        parts = exported ?? {};
      });
      const part = (key: string) => (parts[key] === undefined ? undefined : String(parts[key]).trim());
      const system = part('system');
      const user = part('user');
      const [leadIn, rest, ...more] = part('assistant')?.split(answerMark) ?? [];
      if (user === undefined || leadIn === undefined || rest !== '' || more.length > 0) {
        throw new PromptKindError(
          `Template of prompt kind "${name}": expected it to set "user" and an "assistant" that ends with {{ answer }}`,
        );
      }
      const messages: ChatMessage[] = [{ role: 'user', content: user }];
      if (system !== undefined) messages.unshift({ role: 'system', content: system });
      return { messages, leadIn };
    },
  };
}

/** The known prompt kinds, by name. A new one is a template and a line here. */
export const promptKinds: ReadonlyMap<string, PromptKind> = new Map(
  [
    definePromptKind('output-from-examples-v0', 'output-from-examples', outputFromExamplesV0),
    definePromptKind('output-from-examples-v1', 'output-from-examples', outputFromExamplesV1),
    definePromptKind('output-from-examples-mini', 'output-from-examples', outputFromExamplesMini),
    definePromptKind('input-from-inputs-v0', 'input-from-inputs', inputFromInputsV0),
    definePromptKind('input-from-inputs-mini', 'input-from-inputs', inputFromInputsMini),
    definePromptKind('output-from-outputs-v0', 'output-from-outputs', outputFromOutputsV0),
    definePromptKind('output-from-outputs-mini', 'output-from-outputs', outputFromOutputsMini),
  ].map((kind) => [kind.name, kind]),
);

/** The prompt kind of a name. @throws {PromptKindError} listing the known ones. */
export function getPromptKind(name: string): PromptKind {
  const kind = promptKinds.get(name);
  if (!kind) {
    const known = [...promptKinds.keys()].join(', ');
    throw new PromptKindError(`Unknown prompt kind "${name}". Known kinds: ${known}`);
  }
  return kind;
}
