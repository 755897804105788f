import type { Grid, Task } from '../arc/types.js';
import { PromptTaskError } from './errors.js';
import type { TextGrammar } from './grammar.js';
import type { GridEncoder } from './grid-encoder.js';
import type { ChatMessage, PromptGrids, PromptKind } from './prompt-kinds.js';
import type { ChatTokenizer } from './tokenizer.js';

/** A prompt to answer. */
export interface InferencePrompt {
  /** Ends where the answer begins. */
  readonly tokens: number[];
}

/** A prompt with its answer. */
export interface TrainingPrompt {
  /** The inference prompt's tokens, the answer's, and the end of turn. */
  readonly tokens: number[];
  /** Where the answer begins: `tokens.slice(0, answerStart)` is the inference prompt. */
  readonly answerStart: number;
  /** The name of the prompt kind. */
  readonly kind: string;
}

/** A stretch of a prompt's text, and whose words it is. */
export interface PromptPart {
  readonly role: ChatMessage['role'] | 'template' | 'answer';
  readonly text: string;
}

/** Turns tasks into tokens, and a model's answer into a grid. */
export class PromptBuilder {
  readonly tokenizer: ChatTokenizer;
  readonly encoder: GridEncoder;
  readonly kind: PromptKind;

  constructor(parts: { tokenizer: ChatTokenizer; encoder: GridEncoder; kind: PromptKind }) {
    this.tokenizer = parts.tokenizer;
    this.encoder = parts.encoder;
    this.kind = parts.kind;
  }

  /**
   * The prompt that asks for the answer of a test sample. When it asks for a new input or output, `testIndex` may
   * also be `task.test.length`: no test sample is then left out of the inputs that are shown.
   * @throws {PromptTaskError} when the task lacks what the prompt shows.
   */
  inference(task: Task, testIndex: number): InferencePrompt {
    return { tokens: this.tokenizer.encode(this.text(task, testIndex)) };
  }

  /**
   * The prompt with the answer of a test sample. The answer is tokenized on its own, as a model writes it, so
   * that no token spans the border whatever the tokenizer merges.
   * @throws {PromptTaskError} when the answer is not known or the task lacks what the prompt shows.
   */
  training(task: Task, testIndex: number): TrainingPrompt {
    const answer = this.tokenizer.encode(this.encoder.encode(this.#target(task, testIndex)));
    const { tokens } = this.inference(task, testIndex);
    const answerStart = tokens.length;
    for (const id of answer) tokens.push(id);
    tokens.push(this.tokenizer.endOfTurnId);
    return { tokens, answerStart, kind: this.kind.name };
  }

  /**
   * The training prompt in parts that together are its text: whose words each part is, `template` for what the
   * chat template adds, `answer` for what the loss sees.
   */
  parts(task: Task, testIndex: number): PromptPart[] {
    const { messages, leadIn } = this.kind.render(this.#grids(task, testIndex));
    const text = this.text(task, testIndex);
    const parts: PromptPart[] = [];
    let end = 0;
    for (const { role, content } of messages) {
      const start = text.indexOf(content.trim(), end);
      if (content.trim() === '' || start < 0) continue;
      parts.push({ role: 'template', text: text.slice(end, start) });
      end = start + content.trim().length;
      parts.push({ role, text: text.slice(start, end) });
    }
    parts.push({ role: 'template', text: text.slice(end, text.length - leadIn.length) });
    parts.push({ role: 'assistant', text: leadIn });
    const answer = this.encoder.encode(this.#target(task, testIndex));
    parts.push({ role: 'answer', text: answer + this.tokenizer.tokenText(this.tokenizer.endOfTurnId) });
    return parts.filter((part) => part.text !== '');
  }

  /** The text of the inference prompt. */
  text(task: Task, testIndex: number): string {
    const { messages, leadIn } = this.kind.render(this.#grids(task, testIndex));
    return this.tokenizer.renderChat(messages, { addGenerationPrompt: true }) + leadIn;
  }

  /**
   * The task with as many of its train samples as fit: the last ones are left out until the prompt (with its
   * answer, for training) has at most `maxTokens` tokens. Null when not even one train sample fits.
   */
  fitTask(
    task: Task,
    testIndex: number,
    maxTokens: number,
    purpose: 'training' | 'inference' = 'training',
  ): Task | null {
    let shorter = task;
    while (this[purpose](shorter, testIndex).tokens.length > maxTokens) {
      if (shorter.train.length <= 1) return null;
      shorter = { ...shorter, train: shorter.train.slice(0, -1) };
    }
    return shorter;
  }

  /** The grid of a model's answer (without the end of turn). @throws {GridParseError} saying what is wrong. */
  parseAnswer(text: string): Grid {
    return this.encoder.decode(text);
  }

  /** The grammar of the answer, from where the inference prompt ends to the end of turn. */
  get answerGrammar(): TextGrammar {
    return this.encoder.grammar;
  }

  /** The grid that the prompt asks for. */
  #target(task: Task, testIndex: number): Grid {
    const sample = task.test[testIndex];
    const part = this.kind.task === 'input-from-inputs' ? 'input' : 'output';
    const grid = sample?.[part];
    if (!grid) {
      const found = sample ? `no known ${part}` : `none (the task has ${task.test.length})`;
      throw new PromptTaskError(
        `Prompt kind "${this.kind.name}" needs the ${part} of test sample ${testIndex}, found ${found}`,
      );
    }
    return grid;
  }

  /** What the template shows. */
  #grids(task: Task, testIndex: number): PromptGrids {
    const encode = (grid: Grid) => this.encoder.encode(grid);
    if (this.kind.task === 'output-from-outputs') {
      // other test outputs stay hidden: in a challenge nobody knows them
      return { outputs: task.train.map(({ output }) => encode(output)) };
    }
    if (this.kind.task === 'input-from-inputs') {
      const shown = [...task.train, ...task.test.filter((_, i) => i !== testIndex)];
      return { inputs: shown.map(({ input }) => encode(input)) };
    }
    const sample = task.test[testIndex];
    if (!sample) {
      throw new PromptTaskError(
        `Prompt kind "${this.kind.name}" needs test sample ${testIndex}, found ${task.test.length} test samples`,
      );
    }
    const train = task.train.map(({ input, output }) => ({ input: encode(input), output: encode(output) }));
    return { train, test: encode(sample.input) };
  }
}
