import codeFromExamplesV0 from '../../templates/prompts/code-from-examples-v0.njk';
import inputFromInputsMini from '../../templates/prompts/input-from-inputs-mini.njk';
import inputFromInputsV0 from '../../templates/prompts/input-from-inputs-v0.njk';
import outputFromCodeV0 from '../../templates/prompts/output-from-code-v0.njk';
import outputFromExamplesMini from '../../templates/prompts/output-from-examples-mini.njk';
import outputFromExamplesV0 from '../../templates/prompts/output-from-examples-v0.njk';
import outputFromExamplesV1 from '../../templates/prompts/output-from-examples-v1.njk';
import outputFromOutputsMini from '../../templates/prompts/output-from-outputs-mini.njk';
import outputFromOutputsV0 from '../../templates/prompts/output-from-outputs-v0.njk';
import selectOutputFromExamplesV0 from '../../templates/prompts/select-output-from-examples-v0.njk';
import verifyOutputFromExamplesV0 from '../../templates/prompts/verify-output-from-examples-v0.njk';
import { bareKind } from './bare-kind.js';
import { PromptKindError } from './errors.js';
import { evenKind } from './even-kind.js';
import type { PromptKind } from './prompt-kind.js';
import { candidatesOf, hasCode } from './prompt-tasks.js';
import { definePromptKind, isTemplateFile, kindOfFile, type TemplateKind } from './template-kind.js';

export type { ChatMessage, PromptGrids, PromptKind, PromptTask } from './prompt-kind.js';
export { definePromptKind, isTemplateFile, type TemplateKind } from './template-kind.js';

/** The kinds that have words: a template and a line here make a new one. */
export const templateKinds: readonly TemplateKind[] = [
  definePromptKind('output-from-examples-v0', 'output-from-examples', outputFromExamplesV0),
  definePromptKind('output-from-examples-v1', 'output-from-examples', outputFromExamplesV1),
  definePromptKind('output-from-examples-mini', 'output-from-examples', outputFromExamplesMini),
  definePromptKind('input-from-inputs-v0', 'input-from-inputs', inputFromInputsV0),
  definePromptKind('input-from-inputs-mini', 'input-from-inputs', inputFromInputsMini),
  definePromptKind('output-from-outputs-v0', 'output-from-outputs', outputFromOutputsV0),
  definePromptKind('output-from-outputs-mini', 'output-from-outputs', outputFromOutputsMini),
  definePromptKind('code-from-examples-v0', 'code-from-examples', codeFromExamplesV0),
  definePromptKind('output-from-code-v0', 'output-from-code', outputFromCodeV0),
  definePromptKind(
    'verify-output-from-examples-v0',
    'verify-output-from-examples',
    verifyOutputFromExamplesV0,
  ),
  definePromptKind(
    'select-output-from-examples-v0',
    'select-output-from-examples',
    selectOutputFromExamplesV0,
  ),
];

/** The kinds that are functions: a file and a line here make a new one. */
const turnKinds: readonly PromptKind[] = [
  // grids alone
  bareKind,
  evenKind,
];

/** Whether a kind has grids, and no code or candidates: those whose words trained tokenizers and cut vocabularies know. */
export const isOfGrids = ({ task }: PromptKind): boolean => !hasCode(task) && !candidatesOf(task);

/** The known prompt kinds, by name. */
export const promptKinds: ReadonlyMap<string, PromptKind> = new Map(
  [...templateKinds, ...turnKinds].map((kind) => [kind.name, kind]),
);

/**
 * The prompt kind of a name, or of a template file that it names (`.jinja`, `.j2` or `.njk`).
 * @throws {PromptKindError} listing the known ones, or saying what is wrong with the file
 */
export function getPromptKind(name: string): PromptKind {
  const kind = findPromptKind(name);
  if (kind) return kind;
  const known = [...promptKinds.keys()].join(', ');
  throw new PromptKindError(
    `Unknown prompt kind "${name}". Known kinds: ${known}; or a template file that ends with .jinja`,
  );
}

/** As {@link getPromptKind}; undefined where a name is neither. @throws {PromptKindError} when a file is wrong */
export function findPromptKind(name: string): PromptKind | undefined {
  return promptKinds.get(name) ?? (isTemplateFile(name) ? kindOfFile(name) : undefined);
}
