/** Prompt kinds whose words a template writes: those of this package, and files of the user's. */
import { resolve } from 'node:path';
import { Template } from '@huggingface/jinja';
import { messageOf } from '../common/errors.js';
import { readText } from '../common/files.js';
import { PromptKindError } from './errors.js';
import type { ChatMessage, PromptGrids, PromptKind, PromptTask, Shown } from './prompt-kind.js';
import { fillIn } from './strict-template.js';

/** A prompt kind whose turns a template writes. */
export interface TemplateKind extends PromptKind {
  /**
   * The source of its template (Jinja, as chat templates are written), which sets `system` (optional), `user` and
   * `assistant`, or writes any turns, each after a line with its role in brackets.
   */
  readonly template: string;
}

/** Makes a prompt kind of a template. @throws {PromptKindError} when filled in it lacks a part. */
export function definePromptKind(name: string, task: PromptTask, template: string): TemplateKind {
  let parsed: Template | undefined;
  const fill = (grids: PromptGrids) => {
    try {
      parsed ??= new Template(template);
      return fillIn(parsed, grids);
    } catch (error) {
      throw new PromptKindError(`Template of prompt kind "${name}": ${messageOf(error)}`);
    }
  };
  return {
    name,
    task,
    template,
    turns(grids) {
      const { text, blocks } = fill(grids);
      const turns = turnsOfText(text) ?? turnsOfBlocks(blocks);
      const last = turns.at(-1);
      if (turns.length < 2 || last?.role !== 'assistant' || !last.content.endsWith(grids.answer)) {
        throw new PromptKindError(
          `Template of prompt kind "${name}": expected it to set "user" and an "assistant" that ends with ` +
            '{{ answer }}, or to write turns after lines of [system], [user] and [assistant], of which the last is such one',
        );
      }
      return turns;
    },
  };
}

/** The turns of what a template sets. */
function turnsOfBlocks(blocks: ReadonlyMap<string, string>): ChatMessage[] {
  return (['system', 'user', 'assistant'] as const).flatMap((role) => {
    const content = blocks.get(role)?.trim();
    return content === undefined ? [] : [{ role, content }];
  });
}

/** The turns of a text with roles in lines of their own, without the line breaks around them; undefined without such lines. */
function turnsOfText(text: string): ChatMessage[] | undefined {
  // with one group, the odd items are the roles
  const [before, ...parts] = text.split(/^\[(system|user|assistant)\]\r?\n/m);
  if (parts.length === 0) return undefined;
  if (before?.trim() !== '')
    throw new PromptKindError(`a template writes ${JSON.stringify(before)} before its first turn`);
  return Array.from({ length: parts.length / 2 }, (_, i) => ({
    role: parts[2 * i] as ChatMessage['role'],
    content: parts[2 * i + 1]!.replace(/^[\r\n]+|[\r\n]+$/g, ''),
  }));
}

/** Whether the name of a prompt kind is the path of a template. */
export const isTemplateFile = (name: string): boolean => /\.(jinja|jinja2|j2|njk)$/.test(name);

/** By path, with the text that a file had when it was last asked for. */
const files = new Map<string, TemplateKind>();

const some = { input: '111', output: '222' };
const train = [some, some];
/** What a template of each task is tried with, and the part of that which it has to show. */
const trials: Readonly<Record<PromptTask, readonly [shown: Shown<string>, asked: string]>> = {
  'output-from-examples': [{ train, test: '333' }, '333'],
  'input-from-inputs': [{ inputs: ['111', '222'] }, '222'],
  'output-from-outputs': [{ outputs: ['111', '222'] }, '222'],
  'code-from-examples': [{ train }, '222'],
  'output-from-code': [{ test: '333', code: '555' }, '555'],
  'verify-output-from-examples': [{ train, test: '333', candidate: '555' }, '555'],
  'select-output-from-examples': [{ train, test: '333', candidates: ['555', '666'] }, '666'],
};
/** Where a template does not say what it asks for, it is one of these. */
const byWhatIsShown = ['output-from-examples', 'input-from-inputs', 'output-from-outputs'] as const;

/** The task that a template sets. @throws {PromptKindError} when there is no such task */
function taskSetBy(path: string, template: string): PromptTask | undefined {
  const name = /\{%-?\s*set\s+task\s*=\s*['"]([^'"]*)['"]/.exec(template)?.[1];
  if (name === undefined || Object.hasOwn(trials, name)) return name as PromptTask | undefined;
  throw new PromptKindError(
    `Template of prompt kind "${path}": expected "task" to be one of ${Object.keys(trials).join(', ')}, found "${name}"`,
  );
}

/**
 * The prompt kind of a template file. What it asks for is the `task` that it sets, or what it shows: `train` and
 * `test`, `inputs`, or `outputs`.
 * @throws {PromptKindError} when the file cannot be read, or is no template that can be filled in
 */
export function kindOfFile(path: string): TemplateKind {
  const place = resolve(path);
  const template = readText(path, 'a prompt template');
  // read again each time: in a notebook, templates are edited between two runs of one process
  const known = files.get(place);
  if (known?.template === template) return known;
  let first: unknown;
  const set = taskSetBy(path, template);
  for (const task of set ? [set] : byWhatIsShown) {
    const kind = definePromptKind(path, task, template);
    const [shown, asked] = trials[task];
    try {
      if (!kind.turns({ ...shown, answer: '444' }).some(({ content }) => content.includes(asked))) {
        const wanted = set ? `all that ${set} asks about` : '{{ test }}, or all of inputs or outputs';
        throw new PromptKindError(
          `Template of prompt kind "${path}": expected it to show ${wanted}, found none of them`,
        );
      }
      files.set(place, kind);
      return kind;
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
}
