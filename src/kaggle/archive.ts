/**
 * Files in one text: tar, compressed with LZMA behind a filter for x86 code, in base85. Python's standard library
 * reads all of it. The compressor is 7-Zip compiled to WebAssembly, so that every machine makes the same bytes.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { packageRoot } from '../common/files.js';
import { KaggleError } from './errors.js';

/** The part of 7z-wasm that is used: a file system in memory and 7-Zip's command line on it. */
interface SevenZip {
  FS: {
    mkdirTree(path: string): void;
    writeFile(path: string, data: Uint8Array): void;
    readFile(path: string): Uint8Array;
    utime(path: string, accessed: number, modified: number): void;
    chdir(path: string): void;
    readdir(path: string): string[];
    isDir(mode: number): boolean;
    stat(path: string): { mode: number };
  };
  /** @returns the exit code */
  callMain(args: readonly string[]): number;
}

async function sevenZip(): Promise<SevenZip> {
  const load = createRequire(join(packageRoot(), 'package.json'))('7z-wasm');
  return await load({ print: () => {}, printErr: () => {} });
}

/** Every file below a folder of 7-Zip's file system. */
function* walk(zip: SevenZip, folder: string): Generator<string> {
  const { FS } = zip;
  for (const name of FS.readdir(folder).sort()) {
    if (name === '.' || name === '..') continue;
    const path = `${folder}/${name}`;
    if (FS.isDir(FS.stat(path).mode)) yield* walk(zip, path);
    else yield path;
  }
}

/** Packs files into a `.tar.xz`. The same files give the same bytes. */
export async function compress(files: ReadonlyMap<string, Uint8Array>): Promise<Uint8Array> {
  const zip = await sevenZip();
  const { FS } = zip;
  FS.mkdirTree('/files');
  const names = [...files.keys()].sort();
  for (const name of names) {
    const path = `/files/${name}`;
    FS.mkdirTree(path.slice(0, path.lastIndexOf('/')));
    FS.writeFile(path, files.get(name)!);
    FS.utime(path, 0, 0);
  }
  FS.chdir('/files');
  const steps = [
    ['a', '-ttar', '/all.tar', ...names],
    ['a', '-txz', '-mx=9', '-mf=BCJ', '-mmt=1', '/all.tar.xz', '/all.tar'],
  ];
  for (const args of steps) {
    if (zip.callMain(args) !== 0) throw new Error(`7-Zip failed: ${args.slice(0, 4).join(' ')}`);
  }
  return FS.readFile('/all.tar.xz');
}

/** The files of a `.tar.xz`. @throws {KaggleError} when it is damaged */
export async function decompress(archive: Uint8Array): Promise<Map<string, Uint8Array>> {
  const zip = await sevenZip();
  zip.FS.writeFile('/all.tar.xz', archive);
  const steps = [
    ['x', '/all.tar.xz', '-o/'],
    ['x', '/all.tar', '-o/files'],
  ];
  if (steps.some((args) => zip.callMain(args) !== 0))
    throw new KaggleError('the packed files of the notebook are damaged: they cannot be unpacked');
  return new Map([...walk(zip, '/files')].map((path) => [path.slice(7), zip.FS.readFile(path)]));
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';

/** Base85 as Python's `base64.b85encode` writes it (git's alphabet, no padding). */
export function base85(bytes: Uint8Array): string {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const parts: string[] = [];
  for (let i = 0; i < padded.length; i += 4) {
    let word = padded.readUInt32BE(i);
    let digits = '';
    for (let digit = 0; digit < 5; digit++) {
      digits = ALPHABET[word % 85]! + digits;
      word = Math.floor(word / 85);
    }
    parts.push(digits);
  }
  const text = parts.join('');
  return text.slice(0, text.length - (padded.length - bytes.length));
}

/** The bytes of a base85 text. @throws {KaggleError} for a character outside of the alphabet */
export function fromBase85(text: string): Uint8Array {
  const padded = text.padEnd(Math.ceil(text.length / 5) * 5, '~');
  const bytes = Buffer.alloc((padded.length / 5) * 4);
  for (let i = 0; i < padded.length; i += 5) {
    let word = 0;
    for (let j = i; j < i + 5; j++) {
      const digit = ALPHABET.indexOf(padded[j]!);
      if (digit < 0)
        throw new KaggleError(`base85: the character ${JSON.stringify(padded[j])} is not part of it`);
      word = word * 85 + digit;
    }
    if (word > 0xffffffff) throw new KaggleError('base85: the text is damaged');
    bytes.writeUInt32BE(word, (i / 5) * 4);
  }
  return bytes.subarray(0, bytes.length - (padded.length - text.length));
}
