/** @file Whether a model can be taught to write answers with a tokenizer: what colours become, and how an answer ends. */
import type { GridEncoder } from './grid-encoder.js';
import type { ChatTokenizer } from './tokenizer.js';

/** Something that a person should know of, in one line. */
export interface AnswerFinding {
  /** `hole`: answers cannot be learned as they are meant; `note`: they can, and it costs something. */
  readonly severity: 'hole' | 'note';
  readonly text: string;
}

const quote = (text: string): string => JSON.stringify(text);

/** Every colour has tokens of its own, which give its text back; one token each is best. */
function checkColors(tokenizer: ChatTokenizer, { cells, expression }: GridEncoder): AnswerFinding[] {
  const tokens = cells.symbols.map((symbol) => tokenizer.encode(symbol));
  const unknown = cells.symbols.findIndex((symbol, color) => tokenizer.decode(tokens[color]!) !== symbol);
  if (unknown >= 0) {
    const found = quote(tokenizer.decode(tokens[unknown]!));
    const text =
      `encoder: the tokenizer cannot write ${quote(cells.symbols[unknown]!)}, which ${expression} writes for colour ` +
      `${unknown}, and gives ${found} for it; use another grid encoder`;
    return [{ severity: 'hole', text }];
  }
  const findings: AnswerFinding[] = [];
  const several = tokens.findIndex((ids) => ids.length > 1);
  if (several >= 0) {
    const colors = tokens.filter((ids) => ids.length > 1).length;
    const text =
      `encoder: ${colors} of 10 colours take several tokens, such as ${quote(cells.symbols[several]!)} with ` +
      `${tokens[several]!.length}: prompts and answers are longer than with one token for a colour`;
    findings.push({ severity: 'note', text });
  }
  const merged = mergedCells(tokenizer, cells);
  if (merged !== undefined) {
    const text =
      `encoder: a token such as ${quote(merged)} holds several cells, so that a colour is written by other tokens ` +
      "beside other neighbours; GridWithSeparationEncoder('|') or ReplaceNumberEncoder() may keep them apart";
    findings.push({ severity: 'note', text });
  }
  return findings;
}

/** The text of a token that holds more than one cell, if there is one among two neighbours. */
function mergedCells(
  tokenizer: ChatTokenizer,
  { symbols, separator }: GridEncoder['cells'],
): string | undefined {
  const longest = symbols[0]!.length;
  for (const left of symbols) {
    for (const right of symbols) {
      const texts = tokenizer.encode(left + separator + right).map((id) => tokenizer.tokenText(id));
      const merged = texts.find((text) => {
        const cells = separator === '' ? text : text.replaceAll(separator, '');
        return cells.length > longest;
      });
      if (merged !== undefined) return merged;
    }
  }
  return undefined;
}

/** What training teaches as the end of an answer is a token that inference stops at. */
function checkEnd(
  tokenizer: ChatTokenizer,
  { vocabSize, listed }: { vocabSize: number; listed: readonly number[] },
): AnswerFinding[] {
  const { endOfTurnId, stopIds } = tokenizer;
  const text = tokenizer.tokenText(endOfTurnId);
  const name = `${quote(text)} (token ${endOfTurnId})`;
  const hole = (why: string): AnswerFinding[] => [
    { severity: 'hole', text: `end of answer: training teaches ${name}, ${why}` },
  ];
  if (endOfTurnId >= vocabSize) return hole(`for which the model of ${vocabSize} tokens has no embedding`);
  if (!stopIds.includes(endOfTurnId)) return hole('at which inference does not stop');
  const read = tokenizer.encode(text);
  if (read.length !== 1 || read[0] !== endOfTurnId) {
    return hole(
      `but the tokenizer reads that text as ${read.length} tokens (${read.slice(0, 8).join(', ')})`,
    );
  }
  const findings: AnswerFinding[] = [];
  const conversation = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'b' },
  ] as const;
  if (!tokenizer.renderChat(conversation, { addGenerationPrompt: false }).includes(text)) {
    const why = 'which the chat template does not write: answers that a prompt shows end otherwise';
    findings.push({ severity: 'note', text: `end of answer: training teaches ${name}, ${why}` });
  }
  if (listed.length > 0 && !listed.includes(endOfTurnId)) {
    const others = listed.map((id) => quote(tokenizer.tokenText(id))).join(', ');
    const why =
      `the model's configuration lists only ${others}, as base models do: it may need more steps to write the end, ` +
      'and other programs have to be told to stop there';
    findings.push({ severity: 'note', text: `end of answer: training teaches ${name}; ${why}` });
  }
  return findings;
}

/**
 * Checks the two things that differ between base models and those that were tuned to chat: whether colours are known
 * tokens, and whether the token that training puts at the end of an answer ends answers.
 * @param model tokens that it has embeddings for, and the ids that its configuration lists as ends of an answer
 */
export function checkAnswers(
  tokenizer: ChatTokenizer,
  encoder: GridEncoder,
  model: { vocabSize: number; listed: readonly number[] },
): AnswerFinding[] {
  return [...checkColors(tokenizer, encoder), ...checkEnd(tokenizer, model)];
}
