import { Template } from '@huggingface/jinja';
import { messageOf } from '../common/errors.js';
import type { Folder } from '../common/folder.js';
import { TokenizerError } from './errors.js';
import type { ChatMessage } from './prompt-kinds.js';

/** Renders messages as the text that a model was trained on. */
export type ChatRenderer = (
  messages: readonly ChatMessage[],
  options: { addGenerationPrompt: boolean },
) => string;

/** A special token as tokenizer_config.json writes it: a string, or an added token's description. */
type TokenField = string | { readonly content?: string } | null | undefined;

/** The text of a special token's field, if it is set. */
export function tokenField(field: unknown): string | undefined {
  const value = field as TokenField;
  return typeof value === 'string' ? value : (value?.content ?? undefined);
}

/** The template's source: a file of its own goes before the configuration's field, as in transformers. */
function templateSource(folder: Folder, config: Record<string, unknown>): string | undefined {
  const file = 'chat_template.jinja';
  if (folder.has(file)) return folder.readText(file, 'a chat template');
  const field = config.chat_template;
  if (typeof field === 'string') return field;
  if (!Array.isArray(field)) return undefined;
  const named = field as { name?: string; template?: string }[];
  return (named.find(({ name }) => name === 'default') ?? named[0])?.template;
}

/**
 * Templates that print the day (Llama 3) get a fixed one, the default of that very template: the same task has
 * the same prompt on every day.
 */
const fixedDay = {
  d: '26',
  b: 'Jul',
  B: 'July',
  m: '07',
  Y: '2024',
  y: '24',
  A: 'Friday',
  a: 'Fri',
  H: '00',
  M: '00',
  S: '00',
};

function formatFixedDay(format: string): string {
  return format.replace(/%([a-zA-Z])/g, (all, key: keyof typeof fixedDay) => fixedDay[key] ?? all);
}

/** Goes before a template: puts ours in the place of the library's clock. The empty text keeps a first newline. */
const fixDay = "{% set strftime_now = format_fixed_day %}{{ '' }}";

/**
 * How turns are written for a base model, which brings no template: the role in a line of its own, and the end of text
 * after the assistant's words.
 */
const plainTemplate = (beginsWithBos: boolean): string =>
  (beginsWithBos ? '{{ bos_token }}' : '') +
  "{% for message in messages %}{{ message['role'] + ':\n' + message['content'] }}" +
  "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ 'assistant:\n' }}{% endif %}";

/**
 * Loads the chat template of a model, from chat_template.jinja or tokenizer_config.json; without one, the plain
 * one of ours.
 * @param addsBos whether the tokenizer begins a text with its own token
 * @throws {TokenizerError} when it cannot be parsed, or (on use) it refuses the messages.
 */
export function loadChatTemplate(
  folder: Folder,
  config: Record<string, unknown>,
  addsBos: boolean,
): { render: ChatRenderer; isPlain: boolean } {
  const found = templateSource(folder, config);
  const source = found ?? plainTemplate(addsBos);
  let template: Template;
  try {
    template = new Template(fixDay + source);
  } catch (error) {
    throw new TokenizerError(`${folder.name}: the chat template cannot be parsed: ${messageOf(error)}`);
  }
  const variables: Record<string, unknown> = {
    // transformers sets these, and templates ask whether they are none
    tools: null,
    documents: null,
    // a model that may think first answers at once: its empty block of thoughts stands before the answer in training
    // (where templates write it by themselves) and so has to stand at the end of what is asked
    enable_thinking: false,
    format_fixed_day: formatFixedDay,
    date_string: formatFixedDay('%d %b %Y'),
  };
  for (const name of ['bos_token', 'eos_token', 'pad_token', 'unk_token']) {
    const value = tokenField(config[name]);
    if (value !== undefined) variables[name] = value;
  }
  const renderAsIs: ChatRenderer = (messages, { addGenerationPrompt }) => {
    try {
      return template.render({ ...variables, messages, add_generation_prompt: addGenerationPrompt });
    } catch (error) {
      const roles = messages.map(({ role }) => role).join(', ');
      throw new TokenizerError(
        `${folder.name}: the chat template does not take the messages (${roles}): ${messageOf(error)}`,
      );
    }
  };
  let isShown: boolean | undefined;
  const render: ChatRenderer = (messages, options) => {
    if (messages[0]?.role !== 'system') return renderAsIs(messages, options);
    isShown ??= showsSystem(renderAsIs);
    return renderAsIs(isShown ? messages : withoutSystem(messages), options);
  };
  return { render, isPlain: found === undefined };
}

/** Private use: no template writes it. */
const systemMark = '\uE020';

/** Whether a template writes what the system says: some refuse it (Gemma 2), some leave it out (the first Phi-3). */
function showsSystem(render: ChatRenderer): boolean {
  const messages: ChatMessage[] = [
    { role: 'system', content: systemMark },
    { role: 'user', content: 'hello' },
  ];
  try {
    return render(messages, { addGenerationPrompt: true }).includes(systemMark);
  } catch (error) {
    if (error instanceof TokenizerError) return false;
    throw error;
  }
}

/** What the system says at the beginning of the user's first turn, as Gemma 3's template writes it. */
function withoutSystem([system, first, ...rest]: readonly ChatMessage[]): readonly ChatMessage[] {
  if (first?.role !== 'user') return [system!, ...(first ? [first] : []), ...rest];
  return [{ role: 'user', content: `${system!.content}\n\n${first.content}` }, ...rest];
}
