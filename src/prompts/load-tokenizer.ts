import { DiskFolder } from '../common/disk-folder.js';
import { type ChatTokenizer, tokenizerOf } from './tokenizer.js';

/** {@link tokenizerOf} a model folder of a disk. @throws {UserError} naming the file that is missing or broken. */
export const loadTokenizer = (folder: string): ChatTokenizer => tokenizerOf(new DiskFolder(folder));
