import { Template } from '@huggingface/jinja';
import inputFromInputsMini from '../../templates/prompts/input-from-inputs-mini.njk';
import inputFromInputsV0 from '../../templates/prompts/input-from-inputs-v0.njk';
import outputFromExamplesMini from '../../templates/prompts/output-from-examples-mini.njk';
import outputFromExamplesV0 from '../../templates/prompts/output-from-examples-v0.njk';
import outputFromExamplesV1 from '../../templates/prompts/output-from-examples-v1.njk';
import outputFromOutputsMini from '../../templates/prompts/output-from-outputs-mini.njk';
import outputFromOutputsV0 from '../../templates/prompts/output-from-outputs-v0.njk';
import { messageOf } from '../common/errors.js';
import { bareKind } from './bare-kind.js';
import { PromptKindError } from './errors.js';
import { evenKind } from './even-kind.js';
import type { PromptKind, PromptTask } from './prompt-kind.js';
import { blocksOf } from './strict-template.js';

export type { ChatMessage, PromptGrids, PromptKind, PromptTask } from './prompt-kind.js';

/** A prompt kind whose turns a template writes. */
export interface TemplateKind extends PromptKind {
  /** The source of its template (Jinja, as chat templates are written), which sets `system` (optional), `user` and `assistant`. */
  readonly template: string;
}

/** Makes a prompt kind of a template. @throws {PromptKindError} when filled in it lacks a part. */
export function definePromptKind(name: string, task: PromptTask, template: string): TemplateKind {
  let parsed: Template | undefined;
  return {
    name,
    task,
    template,
    turns(grids) {
      let parts: Map<string, string>;
      try {
        parsed ??= new Template(template);
        parts = blocksOf(parsed, grids);
      } catch (error) {
        throw new PromptKindError(`Template of prompt kind "${name}": ${messageOf(error)}`);
      }
      const part = (key: string) => parts.get(key)?.trim();
      const [system, user, assistant] = ['system', 'user', 'assistant'].map(part);
      if (user === undefined || !assistant?.endsWith(grids.answer)) {
        throw new PromptKindError(
          `Template of prompt kind "${name}": expected it to set "user" and an "assistant" that ends with {{ answer }}`,
        );
      }
      return [
        ...(system === undefined ? [] : [{ role: 'system', content: system } as const]),
        { role: 'user', content: user },
        { role: 'assistant', content: assistant },
      ];
    },
  };
}

/** The kinds that have words: a template and a line here make a new one. */
export const templateKinds: readonly TemplateKind[] = [
  definePromptKind('output-from-examples-v0', 'output-from-examples', outputFromExamplesV0),
  definePromptKind('output-from-examples-v1', 'output-from-examples', outputFromExamplesV1),
  definePromptKind('output-from-examples-mini', 'output-from-examples', outputFromExamplesMini),
  definePromptKind('input-from-inputs-v0', 'input-from-inputs', inputFromInputsV0),
  definePromptKind('input-from-inputs-mini', 'input-from-inputs', inputFromInputsMini),
  definePromptKind('output-from-outputs-v0', 'output-from-outputs', outputFromOutputsV0),
  definePromptKind('output-from-outputs-mini', 'output-from-outputs', outputFromOutputsMini),
];

/** The known prompt kinds, by name. */
export const promptKinds: ReadonlyMap<string, PromptKind> = new Map(
  [...templateKinds, bareKind, evenKind].map((kind) => [kind.name, kind]),
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
