import { DiskFolder } from '../common/disk-folder.js';
import { type ChatTokenizer, tokenizerOf } from './tokenizer.js';

/**
 * The tokenizer of a Hugging Face model's folder (tokenizer.json and tokenizer_config.json), with its chat template.
 * @throws {UserError} naming the file that is missing or broken
 */
export const loadTokenizer = (folder: string): ChatTokenizer => tokenizerOf(new DiskFolder(folder));
