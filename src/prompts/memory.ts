import { MemoryFolder } from '../common/folder.js';
import { type ChatTokenizer, tokenizerOf } from './tokenizer.js';

/**
 * The tokenizer of a model whose files are in memory: `tokenizer.json`, `tokenizer_config.json`, and where the model
 * has them `chat_template.jinja`, `generation_config.json` and `config.json`.
 * @throws {UserError} naming the file that is missing or broken
 */
export const loadTokenizer = (files: Readonly<Record<string, ArrayBuffer>>): ChatTokenizer =>
  tokenizerOf(new MemoryFolder(files, 'model'));
