/** Writes the files of a tokenizer anew for a part of its vocabulary. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson } from '../common/files.js';
import { byteLetters } from './byte-level.js';
import { tokenField } from './chat-template.js';
import { isByteToken, spaceLetter } from './sentencepiece.js';
import type { TokenizerJson } from './text-encoder.js';

// biome-ignore lint/suspicious/noExplicitAny: files of others, of which the parts that hold ids are changed
type Json = any;

/** A token that was kept: its id in the whole vocabulary and what it is called there. Its new id is its place. */
export interface KeptToken {
  readonly id: number;
  readonly token: string;
}

/** The files of a tokenizer for a part of its vocabulary. */
export interface PrunedTokenizer {
  /** Contents of JSON files, by name. */
  readonly files: ReadonlyMap<string, unknown>;
  /** In the order of their new ids. */
  readonly kept: readonly KeptToken[];
}

/**
 * Cuts a BPE tokenizer to some of its tokens, whose new ids are their places in their order; of the merges those stay
 * that make a kept token of kept tokens. A kept token that no merge makes any more (`user` without `us`) is an added
 * token, which is looked for before everything else: texts that are written in kept tokens alone, with such words only
 * where the whole tokenizer has them, are cut as before. Where that would change a text, because the tokenizer puts a
 * space behind added tokens or the word has one, the tokens that it is merged of are kept, too. Without a token for the
 * unknown, and without bytes of characters that are left out.
 * @param ids of tokens to keep, ascending
 * @param options.template the chat template of the files; default: the one that they have
 * @param options.prependsSpace whether the tokenizer puts a space before parts of a text
 */
export function pruneTokenizer(
  folder: string,
  ids: Int32Array,
  { template, prependsSpace }: { template?: string | undefined; prependsSpace: boolean },
): PrunedTokenizer {
  const json = structuredClone(
    readJson(join(folder, 'tokenizer.json'), 'a tokenizer.json'),
  ) as TokenizerJson & Json;
  const { model } = json;
  const whole = model.vocab as Record<string, number>;
  const pairs = (model.merges as (string | [string, string])[]).map((merge) =>
    typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge,
  );
  const kept = new Set(ids);
  const isAdded = new Set(json.added_tokens.map(({ content }: { content: string }) => content));
  const tokens = Object.keys(whole).filter((token) => kept.has(whole[token]!) && !isAdded.has(token));
  const known = new Set(tokens);
  const made = new Set(
    pairs.filter((parts) => parts.every((part) => known.has(part))).map((parts) => parts.join('')),
  );
  const apart = tokens.filter(
    (token) => !made.has(token) && Array.from(token).length > 1 && !isByteToken(token),
  );
  const words = apart.filter((token) => !prependsSpace && standsForItself(token, model.byte_fallback));
  for (const token of partsOf(
    apart.filter((token) => !words.includes(token)),
    pairs,
  )) {
    if (whole[token] !== undefined) kept.add(whole[token]);
  }

  const newIds = newIdsOf(kept);
  const vocab = Object.fromEntries(
    Object.entries(whole)
      .filter(([, id]) => newIds.has(id))
      .map(([token, id]): [string, number] => [token, newIds.get(id)!])
      .sort(([, a], [, b]) => a - b),
  );
  const merges = pairs.filter((parts) =>
    [...parts, parts.join('')].every((part) => vocab[part] !== undefined),
  );
  const added = json.added_tokens
    .filter(({ id }: { id: number }) => newIds.has(id))
    .map((token: Json) => ({ ...token, id: newIds.get(token.id) }));
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: false };
  for (const content of words) added.push({ id: vocab[content], content, ...plain });
  added.sort((a: { id: number }, b: { id: number }) => a.id - b.id);
  // an id that does not follow the others' is given only to a token of the vocabulary
  const last = Math.max(-1, ...Object.values(vocab));
  for (const { id, content } of added) if (id < last) vocab[content] = id;
  const names = new Map<number, string>(Object.entries(vocab).map(([token, id]) => [id, token]));
  for (const { id, content } of added) names.set(id, content);
  const files = new Map<string, unknown>([
    [
      'tokenizer.json',
      {
        ...json,
        truncation: null,
        padding: null,
        added_tokens: added,
        post_processor: pruneProcessor(json.post_processor, newIds),
        model: {
          ...model,
          unk_token: vocab[model.unk_token] === undefined ? null : model.unk_token,
          vocab,
          merges,
        },
      },
    ],
    ['tokenizer_config.json', pruneConfig(folder, new Set(names.values()), newIds, template)],
  ]);
  return { files, kept: Array.from(newIds, ([id, row]) => ({ id, token: names.get(row)! })) };
}

/** Whether a token of the vocabulary is the text that it stands for. */
function standsForItself(token: string, isSentencepiece: boolean): boolean {
  if (isSentencepiece) return !token.includes(spaceLetter);
  const letters = byteLetters();
  return Array.from(token).every((letter) => letters.indexOf(letter) === letter.charCodeAt(0));
}

/** What the merges make of the letters of tokens on the way to them: wherever such a token comes out, it is made so. */
function partsOf(tokens: readonly string[], merges: readonly (readonly [string, string])[]): Set<string> {
  const found = new Set<string>();
  if (tokens.length === 0) return found;
  const ranks = new Map(merges.map((parts, rank) => [JSON.stringify(parts), rank]));
  for (const token of tokens) {
    let parts = Array.from(token);
    for (;;) {
      for (const part of parts) found.add(part);
      const rank = (at: number) => ranks.get(JSON.stringify([parts[at], parts[at + 1]])) ?? Infinity;
      const places = Array.from({ length: parts.length - 1 }, (_, at) => at);
      const best = places.reduce((first, at) => (rank(at) < rank(first) ? at : first), 0);
      if (places.length === 0 || rank(best) === Infinity) break;
      parts = [...parts.slice(0, best), parts[best]! + parts[best + 1]!, ...parts.slice(best + 2)];
    }
  }
  return found;
}

/** The new id of each kept one: its place among them in their order. */
const newIdsOf = (kept: Iterable<number>) =>
  new Map([...kept].sort((a, b) => a - b).map((id, row) => [id, row]));

/** Gives settings of a model new ids: `*_token_id` of a configuration. Tokens that are left out are no longer named. */
export function pruneTokenIds(settings: Record<string, unknown>, kept: Int32Array): Record<string, unknown> {
  const newIds = newIdsOf(kept);
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      if (!name.endsWith('_token_id') || value === null) return [name, value];
      const ids = [value].flat().flatMap((id) => newIds.get(id as number) ?? []);
      return [name, Array.isArray(value) ? ids : (ids[0] ?? null)];
    }),
  );
}

/** A post-processor with new ids; null where it adds a token that is left out. */
function pruneProcessor(processor: Json, newIds: ReadonlyMap<number, number>): unknown {
  if (!processor) return null;
  if (processor.type === 'Sequence') {
    const processors = processor.processors.map((part: Json) => pruneProcessor(part, newIds));
    return { ...processor, processors: processors.filter((part: unknown) => part !== null) };
  }
  if (!processor.special_tokens) return processor;
  const tokens = Object.entries(processor.special_tokens as Record<string, { ids: number[] }>);
  if (!tokens.every(([, { ids }]) => ids.every((id) => newIds.has(id)))) return null;
  const renumbered = tokens.map(([name, token]) => [
    name,
    { ...token, ids: token.ids.map((id) => newIds.get(id)) },
  ]);
  return { ...processor, special_tokens: Object.fromEntries(renumbered) };
}

/** tokenizer_config.json with the kept tokens alone. */
function pruneConfig(
  folder: string,
  names: ReadonlySet<string>,
  newIds: ReadonlyMap<number, number>,
  template: string | undefined,
): unknown {
  const config: Json = {
    ...(readJson(join(folder, 'tokenizer_config.json'), 'a tokenizer_config.json') as object),
  };
  for (const name of ['bos_token', 'eos_token', 'pad_token', 'unk_token']) {
    const token = tokenField(config[name]);
    if (token !== undefined && !names.has(token)) config[name] = null;
  }
  for (const name of ['additional_special_tokens', 'extra_special_tokens']) {
    if (Array.isArray(config[name]))
      config[name] = config[name].filter((token: unknown) => names.has(tokenField(token) ?? ''));
  }
  if (config.added_tokens_decoder) {
    const kept = Object.entries(config.added_tokens_decoder).filter(([id]) => newIds.has(Number(id)));
    config.added_tokens_decoder = Object.fromEntries(
      kept.map(([id, token]) => [newIds.get(Number(id)), token]),
    );
  }
  const file = join(folder, 'chat_template.jinja');
  if (template !== undefined) config.chat_template = template;
  else if (existsSync(file)) delete config.chat_template; // the file goes with it
  // the class of a family may build its vocabulary otherwise than from tokenizer.json
  config.tokenizer_class = 'PreTrainedTokenizerFast';
  return config;
}
