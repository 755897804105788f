import type { ChatRenderer } from './chat-template.js';
import { TokenizerError } from './errors.js';
import type { ChatMessage } from './prompt-kind.js';

/** What a model's chat template writes around the turns of the user and the assistant. */
export interface TurnMarkers {
  /** Before the first turn: the token that begins a text, where the template writes one. */
  readonly begin: string;
  readonly beforeUser: string;
  /** Between a user's turn and the assistant's answer. */
  readonly beforeAssistant: string;
  /** After the assistant's turn; the end of turn is in it. */
  readonly afterAssistant: string;
}

/** Private use: no template writes these. */
const said = ['\uE010', '\uE011', '\uE012', '\uE013'];

/**
 * Finds the markers by rendering a conversation of two questions and answers: what stands around the second question is
 * the turns' own, what stands only at the beginning (a system message, the date) is not.
 * @param tokens the texts of the tokens that begin a text, if there is one, and end the assistant's turn
 * @throws {TokenizerError} when the template does not write one turn after the other
 */
export function turnMarkers(
  render: ChatRenderer,
  { bos, endOfTurn }: { bos: string | undefined; endOfTurn: string },
): TurnMarkers {
  const messages = said.map(
    (content, i): ChatMessage => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }),
  );
  const text = render(messages, { addGenerationPrompt: false });
  const places = said.map((mark) => text.indexOf(mark));
  const [u1, a1, u2, a2] = places as [number, number, number, number];
  const between = text.slice(a1 + 1, u2);
  const tail = text.slice(a2 + 1);
  // some templates begin another answer, whether they are asked to or not
  const afterAssistant = between.startsWith(tail)
    ? tail
    : tail.slice(0, Math.max(0, tail.indexOf(endOfTurn)) + endOfTurn.length);
  const inOrder = places.every((place, i) => place > (places[i - 1] ?? -1));
  if (!inOrder || !between.startsWith(afterAssistant)) {
    throw new TokenizerError(
      'a prompt kind of plain turns: expected a chat template that writes turns one after the other and ends each ' +
        `of the assistant's with the same text, found ${JSON.stringify(text.replace(/[\uE010-\uE013]/g, '…'))}; ` +
        'use another prompt kind',
    );
  }
  return {
    begin: bos && text.startsWith(bos) ? bos : '',
    beforeUser: between.slice(afterAssistant.length),
    beforeAssistant: text.slice(u1 + 1, a1),
    afterAssistant,
  };
}

/** Renders conversations with these markers and nothing else. */
export function turnRenderer(markers: () => TurnMarkers): ChatRenderer {
  let known: TurnMarkers | undefined;
  return (messages, { addGenerationPrompt }) => {
    known ??= markers();
    const { begin, beforeUser, beforeAssistant, afterAssistant } = known;
    const turns = messages.map(({ role, content }, i) => {
      if (role !== (i % 2 === 0 ? 'user' : 'assistant')) {
        throw new TokenizerError(
          `a prompt kind of plain turns: expected turns of user and assistant in turn, found ${role} as number ${i + 1}`,
        );
      }
      return role === 'user' ? beforeUser + content : beforeAssistant + content + afterAssistant;
    });
    return begin + turns.join('') + (addGenerationPrompt ? beforeAssistant : '');
  };
}

/** The same as a chat template in Jinja, for the files of a model that knows these turns alone. */
export function turnTemplate({ begin, beforeUser, beforeAssistant, afterAssistant }: TurnMarkers): string {
  const text = (value: string) => `{{ ${jinjaString(value)} }}`;
  return [
    text(begin),
    '{% for message in messages %}',
    `{% if message['role'] == 'user' %}${text(beforeUser)}{{ message['content'] }}`,
    `{% elif message['role'] == 'assistant' %}${text(beforeAssistant)}{{ message['content'] }}${text(afterAssistant)}`,
    "{% else %}{{ raise_exception('only the roles user and assistant are known') }}{% endif %}",
    '{% endfor %}',
    `{% if add_generation_prompt %}${text(beforeAssistant)}{% endif %}`,
  ].join('');
}

/** A string of Jinja, which is Python's. */
function jinjaString(value: string): string {
  const escaped = value
    .replace(/[\\']/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\t/g, '\\t')
    .replace(/\r/g, '\\r');
  return `'${escaped}'`;
}
