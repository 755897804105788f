/**
 * Files in one text: tar, compressed with LZMA behind a filter for x86 code, in base92. Python's standard library
 * reads all but the last, which takes it ten lines. The compressor is 7-Zip compiled to WebAssembly, so that every
 * machine makes the same bytes.
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

/** All printable ASCII characters that JSON writes as themselves, without the space: 92. */
const ALPHABET = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
  .filter((character) => !'"\\'.includes(character))
  .join('');
const BASE = BigInt(ALPHABET.length);
/** So many bytes are written as so many digits: 256²² is a little less than 92²⁷. */
const BLOCK = { bytes: 22, digits: 27 };

/** How many digits the last bytes take, which may be fewer than a block. */
const digitsFor = (bytes: number) => Math.ceil((bytes * Math.log(256)) / Math.log(ALPHABET.length));

/** Bytes as text for a JSON file: 27 characters for 22 bytes, which is 2 % less than base85. */
export function base92(bytes: Uint8Array): string {
  const blocks: string[] = [];
  for (let at = 0; at < bytes.length; at += BLOCK.bytes) {
    const block = bytes.subarray(at, at + BLOCK.bytes);
    let number = BigInt(`0x${Buffer.from(block).toString('hex')}`);
    const digits = Array<string>(digitsFor(block.length));
    for (let i = digits.length - 1; i >= 0; i--) {
      digits[i] = ALPHABET[Number(number % BASE)]!;
      number /= BASE;
    }
    blocks.push(digits.join(''));
  }
  return blocks.join('');
}

/** The bytes of a text that {@link base92} made. @throws {KaggleError} for any other */
export function fromBase92(text: string): Uint8Array {
  const blocks: Buffer[] = [];
  for (let at = 0; at < text.length; at += BLOCK.digits) {
    const digits = text.slice(at, at + BLOCK.digits);
    let number = 0n;
    for (const character of digits) {
      const digit = ALPHABET.indexOf(character);
      if (digit < 0)
        throw new KaggleError(`base92: the character ${JSON.stringify(character)} is not part of it`);
      number = number * BASE + BigInt(digit);
    }
    const bytes = Math.floor((digits.length * Math.log(ALPHABET.length)) / Math.log(256));
    const hex = number.toString(16).padStart(bytes * 2, '0');
    if (hex.length > bytes * 2 || digitsFor(bytes) !== digits.length)
      throw new KaggleError('base92: the text is damaged');
    blocks.push(Buffer.from(hex, 'hex'));
  }
  return Buffer.concat(blocks);
}
