import { Tokenizer } from '@huggingface/tokenizers';
import { messageOf } from '../common/errors.js';
import { type Folder, readJsonOf } from '../common/folder.js';
import { compileSchema } from '../common/schema.js';
import { type ByteLevelJson, byteVocabulary } from './byte-level.js';
import { type ChatRenderer, loadChatTemplate, tokenField } from './chat-template.js';
import { TokenizerError } from './errors.js';
import type { ChatMessage } from './prompt-kinds.js';
import {
  type SentencepieceJson,
  sentencepieceVocabulary,
  unusedByteTokens,
  withPartSpaces,
} from './sentencepiece.js';
import { stopTokensOf } from './stop-tokens.js';
import { type TokenizerJson, textEncoder } from './text-encoder.js';
import { type TurnMarkers, turnMarkers, turnRenderer } from './turn-markers.js';

/** A model folder's tokenizer and chat template. */
export interface ChatTokenizer {
  /** The ids of a text, in which special tokens may be written out. None is added at its ends. */
  encode(text: string): number[];
  /** The ids of a text that goes on from another one: without the space that some tokenizers put before a text. */
  encodeAfter(text: string): number[];
  /** Whether {@link encode} puts a space before a text, as sentencepiece does. */
  readonly prependsSpace: boolean;
  /** The text of ids, special tokens included; ids that the vocabulary lacks are left out. */
  decode(ids: readonly number[]): string;
  /** The text of one token. A token that holds a part of a character gives U+FFFD for it. */
  tokenText(id: number): string;
  /** Tokens that no text is cut into. */
  readonly unusedIds: ReadonlySet<number>;
  /** The bytes of each token by its id, for a tokenizer whose tokens are pieces of the text's bytes. */
  byteVocabulary(): ReadonlyMap<number, Uint8Array> | undefined;
  /** The same, and of a tokenizer whose tokens are pieces of what {@link formsOf} gives for a text. */
  pieceVocabulary(): ReadonlyMap<number, Uint8Array> | undefined;
  /** The forms in which a part of a text may be read: as it is, composed, with spaces that the tokenizer adds. */
  formsOf(text: string): ReadonlySet<string>;
  /** One more than the largest id. A model's embedding may have more rows. */
  readonly vocabSize: number;
  /** The token that ends the assistant's turn in the chat template. */
  readonly endOfTurnId: number;
  /** Every token that ends an answer: {@link endOfTurnId}, then the others that the model's files list. */
  readonly stopIds: readonly number[];
  /** The text of a conversation; `addGenerationPrompt` adds the beginning of the assistant's turn. */
  readonly renderChat: ChatRenderer;
  /**
   * What the chat template writes around turns.
   * @throws {TokenizerError} when that cannot be told
   */
  turnMarkers(): TurnMarkers;
  /** The text of turns of user and assistant with {@link turnMarkers} and nothing else of the template. */
  readonly renderTurns: ChatRenderer;
  /** The folder has no chat template, and turns are written in a plain one of ours. */
  readonly hasPlainTemplate: boolean;
}

const checkTokenizer = compileSchema<TokenizerJson & ByteLevelJson & SentencepieceJson>(
  {
    type: 'object',
    required: ['model', 'added_tokens'],
    properties: {
      model: {
        type: 'object',
        required: ['vocab'],
        properties: { vocab: { type: ['object', 'array'] } },
      },
      added_tokens: {
        type: 'array',
        items: {
          type: 'object',
          required: ['id', 'content'],
          properties: { id: { type: 'integer', minimum: 0 }, content: { type: 'string', minLength: 1 } },
        },
      },
    },
  },
  'a Hugging Face tokenizer.json',
);

/** Parts of tokenizer.json that may be left out. */
const optionalParts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };

const checkConfig = compileSchema<Record<string, unknown>>(
  {
    type: 'object',
    properties: {
      chat_template: {
        type: ['string', 'array', 'null'],
        items: {
          type: 'object',
          required: ['name', 'template'],
          properties: { name: { type: 'string' }, template: { type: 'string' } },
        },
      },
    },
  },
  'a tokenizer_config.json',
);

/** Reads one of the folder's files. @throws {TokenizerError} when it is missing or of another shape. */
function readPart<T>(folder: Folder, name: string, check: (value: unknown, source: string) => T): T {
  try {
    return check(readJsonOf(folder, name, `the tokenizer's ${name}`), folder.pathOf(name));
  } catch (error) {
    throw new TokenizerError(messageOf(error));
  }
}

/** Whether the tokenizer puts its first token before a text that has none. */
function addsBos({ post_processor: processor }: TokenizerJson, config: Record<string, unknown>): boolean {
  const bos = tokenField(config.bos_token);
  if (bos === undefined || config.add_bos_token === false) return false;
  return config.add_bos_token === true || JSON.stringify(processor ?? null).includes(JSON.stringify(bos));
}

/** Text before a text that goes on: no token of any vocabulary joins it with a digit. */
const goOn = '\n';

/** What stands for the assistant's words when the end of its turn is looked for. */
const probe = 'arclab';

/** The special token after the assistant's words in the rendered chat; else the configured end of text. */
function findEndOfTurn(
  folder: string,
  render: ChatRenderer,
  special: ReadonlyMap<string, number>,
  config: Record<string, unknown>,
): number {
  const messages: ChatMessage[] = [
    { role: 'user', content: 'hello' },
    { role: 'assistant', content: probe },
  ];
  const rendered = render(messages, { addGenerationPrompt: false });
  const at = rendered.lastIndexOf(probe);
  const tail = at < 0 ? '' : rendered.slice(at + probe.length);
  const places = [...special]
    .map(([content, id]) => ({ id, place: tail.indexOf(content), length: content.length }))
    .filter(({ place }) => place >= 0)
    .sort((a, b) => a.place - b.place || b.length - a.length);
  const id = places[0]?.id ?? special.get(tokenField(config.eos_token) ?? '');
  if (id === undefined) {
    throw new TokenizerError(
      `${folder}: cannot tell which token ends the assistant's turn: the chat template writes no special token after it and tokenizer_config.json has no eos_token of the vocabulary`,
    );
  }
  return id;
}

/**
 * Loads tokenizer.json, tokenizer_config.json and the chat template of a model, and which tokens end an
 * answer.
 * @throws {UserError} naming the file that is missing or broken.
 */
export function tokenizerOf(folder: Folder): ChatTokenizer {
  if (!folder.exists) {
    throw new TokenizerError(`${folder.name}: no such folder: expected a model folder with a tokenizer.json`);
  }
  const json = readPart(folder, 'tokenizer.json', checkTokenizer);
  const config = readPart(folder, 'tokenizer_config.json', checkConfig);
  let tokenizer: Tokenizer;
  try {
    // the library insists on fields that the format lets one leave out
    tokenizer = new Tokenizer({ ...optionalParts, ...json }, config);
  } catch (error) {
    throw new TokenizerError(
      `${folder.pathOf('tokenizer.json')}: not a tokenizer that can be loaded: ${messageOf(error)}`,
    );
  }
  const template = loadChatTemplate(folder, config, addsBos(json, config));
  const renderChat = template.render;
  const vocabulary = tokenizer.get_vocab();
  const vocabSize = 1 + [...vocabulary.values()].reduce((largest, id) => Math.max(largest, id), -1);
  const added = new Map(json.added_tokens.map(({ content, id }) => [content, id]));
  const texts: (string | undefined)[] = [];
  let bytes: ReadonlyMap<number, Uint8Array> | undefined;
  const endOfTurnId = findEndOfTurn(folder.name, renderChat, added, config);

  const markers = () =>
    turnMarkers(renderChat, { bos: tokenField(config.bos_token), endOfTurn: decode([endOfTurnId]) });
  const decode = (ids: readonly number[]) => {
    const known = ids.filter((id) => tokenizer.id_to_token(id) !== undefined);
    return known.length > 0 ? tokenizer.decode(known, { clean_up_tokenization_spaces: false }) : '';
  };
  const encode = textEncoder(tokenizer, { ...optionalParts, ...json }, config);
  const before = encode(goOn);
  const encodeGoing = (text: string) => {
    const ids = encode(goOn + text);
    return before.every((id, i) => id === ids[i]) ? ids.slice(before.length) : encode(text);
  };
  const prependsSpace = encodeGoing('0').join() !== encode('0').join();
  // a decoder that takes the first space of a text away would take it of a single token, too
  const prefix = prependsSpace ? encode('0') : [];
  const prefixText = decode(prefix);
  const pieces = () => {
    bytes ??= byteVocabulary(json) ?? sentencepieceVocabulary(json);
    return bytes;
  };
  return {
    encode,
    encodeAfter: prependsSpace ? encodeGoing : encode,
    prependsSpace,
    decode,
    tokenText(id) {
      texts[id] ??= decode([...prefix, id]).slice(prefixText.length);
      return texts[id];
    },
    unusedIds: unusedByteTokens(json),
    byteVocabulary: () => (prependsSpace ? undefined : pieces()),
    pieceVocabulary: pieces,
    formsOf(text) {
      const forms = new Set([text, text.normalize('NFC')]);
      if (!prependsSpace) return forms;
      const spaced = withPartSpaces(text, json);
      return forms.add(spaced).add(` ${spaced}`);
    },
    vocabSize,
    endOfTurnId,
    stopIds: [...new Set([endOfTurnId, ...stopTokensOf(folder)])],
    renderChat,
    turnMarkers: markers,
    renderTurns: turnRenderer(markers),
    hasPlainTemplate: template.isPlain,
  };
}
