import { PromptVocabularyError } from './errors.js';
import type { GridEncoder } from './grid-encoder.js';
import { piecesOf, promptFrame } from './prompt-frame.js';
import { getPromptKind, isOfGrids, type PromptKind, promptKinds } from './prompt-kinds.js';
import { answerWords, candidatesOf, hasCode, shapeOf } from './prompt-tasks.js';
import { spaceLetter } from './sentencepiece.js';
import { TextNetwork } from './text-network.js';
import type { ChatTokenizer } from './tokenizer.js';

/** Prompts show at most so many samples: their numbers are in the text. */
export const mostSamples = 100;
/** And so many candidates to choose from. */
const mostCandidates = 9;

/**
 * The ids of all tokens that can occur in prompts and answers, ascending: those whose bytes occur anywhere in a
 * text that a prompt kind writes around grids, or that the encoder writes for a grid, or where the two meet; and
 * those that end an answer.
 *
 * It is found by construction, and holds for every grid, every number of samples up to `mostSamples`, every
 * way of cutting such a text into tokens, and so for all that constrained decoding may choose: the tokens of byte-level
 * and sentencepiece-like BPE are pieces of the text, and a graph (`TextNetwork`) describes all texts. The graph also
 * writes some texts that are no prompt, such as rows in any order; that adds a few tokens and takes none away.
 *
 * By default the prompt kinds are all that have grids alone, so that training, inference and scoring with a model share
 * one vocabulary, whichever of them they use. Kinds of plain turns (`output-from-examples-bare`) have one of their own.
 * @throws {PromptVocabularyError} for a tokenizer of another kind, a text that it would normalize, or a kind with code
 */
export function promptVocabulary(
  tokenizer: ChatTokenizer,
  encoder: GridEncoder,
  kinds: Iterable<PromptKind> = kindsOfCut([]),
): Int32Array {
  const vocabulary = tokenizer.pieceVocabulary();
  if (!vocabulary) {
    throw new PromptVocabularyError(
      '`pruneVocab`: expected a byte-level BPE tokenizer (Qwen, Llama 3, SmolLM) or one as sentencepiece has it ' +
        '(Mistral, Phi-3, Gemma), found one of another kind; leave out `pruneVocab`',
    );
  }
  assertComposed(encoder);
  for (let color = 0; color < 10; color++) {
    const row = [color, color];
    assertKept(encoder.encode([row, row]), tokenizer);
  }
  const kindsInUse = [...kinds];
  assertWithoutCode(kindsInUse);
  if (kindsInUse.every(({ plainTurns }) => plainTurns))
    return turnVocabulary(tokenizer, vocabulary, encoder, kindsInUse);
  const network = new TextNetwork();
  const [before, after] = [network.node(), network.node()];
  encoder.trace(network, before, after);
  for (const kind of kindsInUse) addPrompts(network, before, after, kind, tokenizer);
  const ids = new Set(tokenizer.stopIds);
  for (const [id, bytes] of vocabulary) {
    if (bytes.length > 0 && network.contains(bytes)) ids.add(id);
  }
  return Int32Array.from(ids).sort();
}

/** What a kind writes before, between or after grids. */
interface Passage {
  readonly text: string;
  readonly beginsPrompt: boolean;
  readonly endsPrompt: boolean;
}

/** They do not depend on the encoder. */
const passagesOfKinds = new WeakMap<ChatTokenizer, Map<PromptKind, readonly Passage[]>>();

/** All passages of a kind, each once: prompts of more samples repeat those of fewer. */
function passagesOf(kind: PromptKind, tokenizer: ChatTokenizer): readonly Passage[] {
  const ofKinds = passagesOfKinds.get(tokenizer) ?? new Map<PromptKind, readonly Passage[]>();
  passagesOfKinds.set(tokenizer, ofKinds);
  const passages = ofKinds.get(kind) ?? findPassages(kind, tokenizer);
  ofKinds.set(kind, passages);
  return passages;
}

function findPassages(kind: PromptKind, tokenizer: ChatTokenizer): Passage[] {
  const choices = candidatesOf(kind.task) === 'several' ? mostCandidates : 2;
  const sizes = Array.from({ length: mostSamples }, (_, i): [number, number] => [i + 1, 2]);
  for (let candidates = 3; candidates <= choices; candidates++) sizes.push([1, candidates]);
  const found = new Map<string, Passage>();
  for (const [count, candidates] of sizes) {
    const texts = textsAround(kind, count, tokenizer, candidates);
    for (const [i, text] of texts.entries()) {
      const [beginsPrompt, endsPrompt] = [i === 0, i === texts.length - 1];
      found.set(`${beginsPrompt} ${endsPrompt} ${text}`, { text, beginsPrompt, endsPrompt });
    }
  }
  return [...found.values()];
}

/** What a kind writes before, between and after the grids of so many samples, and candidates. */
function textsAround(
  kind: PromptKind,
  count: number,
  tokenizer: ChatTokenizer,
  candidates: number,
): string[] {
  const { text, leadIn, bridge } = promptFrame(kind, shapeOf(kind.task, count, candidates), tokenizer);
  const whole = leadIn === '' ? text + bridge : text;
  return piecesOf(whole).filter((piece) => typeof piece === 'string');
}

/**
 * The same for kinds whose words are markers of turns alone. Those are always cut into the same tokens, so that the
 * pieces of their words (`us` of `user`) need no rows: what is left are the tokens of grids, those that the markers are
 * cut into, and any that a border between the two may be within.
 */
function turnVocabulary(
  tokenizer: ChatTokenizer,
  vocabulary: ReadonlyMap<number, Uint8Array>,
  encoder: GridEncoder,
  kinds: readonly PromptKind[],
): Int32Array {
  const grids = new TextNetwork();
  encoder.trace(grids, grids.node(), grids.node());
  const all = new TextNetwork();
  const [before, after] = [all.node(), all.node()];
  encoder.trace(all, before, after);
  const words = new TextNetwork();
  const ids = new Set(tokenizer.stopIds);
  const cells = Array.from({ length: 10 }, (_, color) => encoder.encode([[color]]));
  for (const kind of kinds) {
    addPrompts(all, before, after, kind, tokenizer);
    for (const text of new Set(passagesOf(kind, tokenizer).map((passage) => passage.text))) {
      for (const form of tokenizer.formsOf(text)) words.edge(words.node(), words.node(), form);
      for (const grid of ['', ...cells])
        for (const next of ['', ...cells]) for (const id of tokenizer.encode(grid + text + next)) ids.add(id);
    }
  }
  for (const [id, bytes] of vocabulary) {
    if (bytes.length === 0) continue;
    if (grids.contains(bytes) || (all.contains(bytes) && !words.contains(bytes))) ids.add(id);
  }
  return Int32Array.from(ids).sort();
}

/** The kinds for which a vocabulary is cut, where only some are used: theirs alone if they have no words but turns. */
export function kindsOfCut(names: readonly string[]): Iterable<PromptKind> {
  const used = [...new Set(names)].map(getPromptKind);
  const plain = used.length > 0 && used.every(({ plainTurns }) => plainTurns);
  return plain ? used : new Set([...[...promptKinds.values()].filter(isOfGrids), ...used]);
}

/** Adds what a kind writes before, between and after grids, as edges from the end of a grid to the next. */
function addPrompts(
  network: TextNetwork,
  beforeGrid: number,
  afterGrid: number,
  kind: PromptKind,
  tokenizer: ChatTokenizer,
): void {
  const [start, end] = [network.node(), network.node()];
  const choices = candidatesOf(kind.task) === 'several' ? mostCandidates : 2;
  for (const word of answerWords(kind.task, choices)) {
    for (const form of tokenizer.formsOf(word)) network.edge(end, network.node(), form);
  }
  for (const { text, beginsPrompt, endsPrompt } of passagesOf(kind, tokenizer)) {
    assertKept(text, tokenizer);
    for (const form of tokenizer.formsOf(text)) {
      network.edge(beginsPrompt ? start : afterGrid, endsPrompt ? end : beforeGrid, form);
    }
  }
}

/** Code may be any text. */
function assertWithoutCode(kinds: readonly PromptKind[]): void {
  const kind = kinds.find(({ task }) => hasCode(task));
  if (!kind) return;
  throw new PromptVocabularyError(
    `\`pruneVocab\`: expected prompt kinds of grids, found ${kind.name}, whose code may have any token; leave out ` +
      '`pruneVocab` or that kind',
  );
}

/** The graph does not describe cells that become one character when a text is composed. */
function assertComposed(encoder: GridEncoder): void {
  for (let a = 0; a < 10; a++) {
    for (let b = 0; b < 10; b++) {
      const text = encoder.encode([
        [a, b],
        [b, a],
      ]);
      if (text === text.normalize('NFC')) continue;
      throw new PromptVocabularyError(
        `\`pruneVocab\`: expected a grid encoder whose text is in Unicode's composed form, found ${encoder.expression}; ` +
          'use another separator',
      );
    }
  }
}

/** The graph does not describe a letter that a tokenizer reads as a space. */
function assertKept(text: string, tokenizer: ChatTokenizer): void {
  if (!text.includes(spaceLetter) || tokenizer.decode(tokenizer.encode(text)).includes(spaceLetter)) return;
  throw new PromptVocabularyError(
    '`pruneVocab`: expected grids and words without U+2581, which this tokenizer reads as a space, found ' +
      `${JSON.stringify(text.slice(0, 40))}; use another grid encoder or prompt kind`,
  );
}
