import { PromptVocabularyError } from './errors.js';
import type { GridEncoder } from './grid-encoder.js';
import { type PromptGrids, type PromptKind, promptKinds } from './prompt-kinds.js';
import { TextNetwork } from './text-network.js';
import type { ChatTokenizer } from './tokenizer.js';

/** Prompts show at most so many samples: their numbers are in the text. */
export const mostSamples = 100;

/** Stands for a grid while a prompt is rendered. Private use: no text of ours contains it. */
const gridMark = '\uE001';

/**
 * The ids of all tokens that can occur in prompts and answers, ascending: those whose bytes occur anywhere in a
 * text that a prompt kind writes around grids, or that the encoder writes for a grid, or where the two meet.
 *
 * It is found by construction, and holds for every grid, every number of samples up to {@link mostSamples}, every
 * way of cutting such a text into tokens, and so for all that constrained decoding may choose: a byte-level
 * tokenizer's tokens are pieces of the text, and a graph ({@link TextNetwork}) describes all texts. The graph also
 * writes some texts that are no prompt, such as rows in any order; that adds a few tokens and takes none away.
 *
 * By default the prompt kinds are all that there are, so that training, inference and scoring with a model share
 * one vocabulary, whichever of them they use.
 * @throws {PromptVocabularyError} for a tokenizer that is not byte-level, or a text that it would normalize
 */
export function promptVocabulary(
  tokenizer: ChatTokenizer,
  encoder: GridEncoder,
  kinds: Iterable<PromptKind> = promptKinds.values(),
): Int32Array {
  const vocabulary = tokenizer.byteVocabulary();
  if (!vocabulary) {
    throw new PromptVocabularyError(
      '--prune_vocab: expected a byte-level BPE tokenizer (Qwen2, Llama 3, SmolLM2), found one of another kind; ' +
        'leave out --prune_vocab',
    );
  }
  assertComposed(encoder);
  const network = new TextNetwork();
  const [before, after] = [network.node(), network.node()];
  encoder.trace(network, before, after);
  for (const kind of kinds) addPrompts(network, before, after, kind, tokenizer);
  const ids: number[] = [tokenizer.endOfTurnId];
  for (const [id, bytes] of vocabulary) {
    if (id !== tokenizer.endOfTurnId && bytes.length > 0 && network.contains(bytes)) ids.push(id);
  }
  return Int32Array.from(ids).sort();
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
  for (let count = 1; count <= mostSamples; count++) {
    const { messages, leadIn } = kind.render(markedGrids(kind, count));
    const text = tokenizer.renderChat(messages, { addGenerationPrompt: true }) + leadIn;
    // a tokenizer may compose characters or leave them as they are
    for (const form of new Set([text, text.normalize('NFC')])) {
      const parts = form.split(gridMark);
      if (parts.length !== gridsOf(kind, count) + 1) {
        throw new PromptVocabularyError(
          `--prune_vocab: the chat template does not show every grid of prompt kind ${kind.name} once; leave out --prune_vocab`,
        );
      }
      for (const [i, part] of parts.entries()) {
        network.edge(i === 0 ? start : afterGrid, i === parts.length - 1 ? end : beforeGrid, part);
      }
    }
  }
}

function gridsOf({ task }: PromptKind, count: number): number {
  return task === 'output-from-examples' ? 2 * count + 1 : count;
}

/** Marks in the place of all grids of a prompt with so many samples. */
function markedGrids({ task }: PromptKind, count: number): PromptGrids {
  const grids = new Array<string>(count).fill(gridMark);
  if (task === 'input-from-inputs') return { inputs: grids };
  if (task === 'output-from-outputs') return { outputs: grids };
  return { train: grids.map((grid) => ({ input: grid, output: grid })), test: gridMark };
}

/** Cells that would melt into one character when a text is composed are not what the graph describes. */
function assertComposed(encoder: GridEncoder): void {
  for (let a = 0; a < 10; a++) {
    for (let b = 0; b < 10; b++) {
      const text = encoder.encode([
        [a, b],
        [b, a],
      ]);
      if (text === text.normalize('NFC')) continue;
      throw new PromptVocabularyError(
        `--prune_vocab: expected a grid encoder whose text is in Unicode's composed form, found ${encoder.expression}; ` +
          'use another separator',
      );
    }
  }
}
