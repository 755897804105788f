/**
 * Makes a shared library for Linux (ELF, 64 bits, little endian) compress better without changing what it does.
 * koffi exports a name for each of its 8,192 callback trampolines, though it finds them by arithmetic: the names,
 * their hash table and their unwind records took 70 kB of a notebook.
 */
import { KaggleError } from './errors.js';

interface LibrarySection {
  readonly address: number;
  readonly offset: number;
  readonly size: number;
}

const SYMBOL = 24;
const RELOCATION = 24;

/** The sections of a library by name. @throws {KaggleError} for another format */
function sectionsOf(file: Buffer): (name: string) => LibrarySection {
  if (file.length < 64 || file.toString('latin1', 0, 6) !== '\x7fELF\x02\x01')
    throw new KaggleError('expected a native module for Linux (ELF, 64 bits, little endian)');
  const table = Number(file.readBigUInt64LE(40));
  const headerAt = (index: number) => table + index * file.readUInt16LE(58);
  const part = (at: number): LibrarySection => ({
    address: Number(file.readBigUInt64LE(at + 16)),
    offset: Number(file.readBigUInt64LE(at + 24)),
    size: Number(file.readBigUInt64LE(at + 32)),
  });
  const names = part(headerAt(file.readUInt16LE(62)));
  const sections = new Map(
    Array.from({ length: file.readUInt16LE(60) }, (_, index) => {
      const at = headerAt(index);
      return [textAt(file, names.offset + file.readUInt32LE(at)), part(at)];
    }),
  );
  return (name) => {
    const found = sections.get(name);
    if (!found) throw new KaggleError(`expected a section ${name} in the native module`);
    return found;
  };
}

const textAt = (file: Buffer, offset: number) => file.toString('latin1', offset, file.indexOf(0, offset));

/** The hash of `.gnu.hash`. */
function symbolHash(name: string): number {
  let hash = 5381;
  for (const character of name) hash = (Math.imul(hash, 33) + character.charCodeAt(0)) >>> 0;
  return hash;
}

/**
 * A copy without the exported names that neither the library itself nor `keep` asks for, and with one unwind record
 * for adjoining functions that have no frame. Code and data stay as they are.
 */
export function shrinkNativeModule(library: Uint8Array, keep: RegExp): Buffer {
  const file = Buffer.from(library);
  const section = sectionsOf(file);
  dropExports(file, section, keep);
  mergeUnwindRecords(file, section('.eh_frame_hdr'), section('.eh_frame'));
  return file;
}

function dropExports(file: Buffer, section: (name: string) => LibrarySection, keep: RegExp): void {
  const symbols = section('.dynsym');
  const strings = section('.dynstr');
  const versions = section('.gnu.version');
  const hashes = section('.gnu.hash');
  // symbols from the first hashed one on are exported; those before it are imports
  const first = file.readUInt32LE(hashes.offset + 4);
  const count = symbols.size / SYMBOL;
  const nameOf = (index: number) =>
    textAt(file, strings.offset + file.readUInt32LE(symbols.offset + index * SYMBOL));

  const relocations = ['.rela.dyn', '.rela.plt'].flatMap((name) => {
    const { offset, size } = section(name);
    return Array.from({ length: size / RELOCATION }, (_, i) => offset + i * RELOCATION);
  });
  const symbolPlace = (relocation: number) => relocation + 12;
  const asked = new Set(relocations.map((at) => file.readUInt32LE(symbolPlace(at))));
  const kept: number[] = [];
  const dropped: string[] = [];
  for (let index = first; index < count; index++) {
    if (asked.has(index) || keep.test(nameOf(index))) kept.push(index);
    else dropped.push(nameOf(index));
  }
  const names = kept.map(nameOf);

  // names of what is dropped, where nothing else shares their bytes
  const text = file.subarray(strings.offset, strings.offset + strings.size);
  const others = new Set(text.toString('latin1').split('\0'));
  for (const name of dropped) others.delete(name);
  let at = 0;
  for (const name of text.toString('latin1').split('\0')) {
    if (!others.has(name)) text.fill(0, at, at + name.length);
    at += name.length + 1;
  }

  const moved = kept.map((index) => ({
    symbol: Buffer.from(
      file.subarray(symbols.offset + index * SYMBOL, symbols.offset + (index + 1) * SYMBOL),
    ),
    version: file.readUInt16LE(versions.offset + index * 2),
  }));
  file.fill(0, symbols.offset + first * SYMBOL, symbols.offset + symbols.size);
  file.fill(0, versions.offset + first * 2, versions.offset + versions.size);
  moved.forEach(({ symbol, version }, i) => {
    symbol.copy(file, symbols.offset + (first + i) * SYMBOL);
    file.writeUInt16LE(version, versions.offset + (first + i) * 2);
  });
  const places = new Map(kept.map((index, i) => [index, first + i]));
  for (const relocation of relocations) {
    const place = places.get(file.readUInt32LE(symbolPlace(relocation)));
    if (place !== undefined) file.writeUInt32LE(place, symbolPlace(relocation));
  }

  // one bucket, and a Bloom filter that lets everything pass
  file.fill(0, hashes.offset, hashes.offset + hashes.size);
  [1, first, 1, 0, 0xffffffff, 0xffffffff, kept.length > 0 ? first : 0].forEach((word, i) => {
    file.writeUInt32LE(word, hashes.offset + i * 4);
  });
  names.forEach((name, i) => {
    const end = i === names.length - 1 ? 1 : 0;
    file.writeUInt32LE(((symbolHash(name) & ~1) | end) >>> 0, hashes.offset + 28 + i * 4);
  });
}

/** What `.eh_frame_hdr` must say of how its table is written: offsets of four bytes from its own address. */
const TABLE_ENCODING = Buffer.from([1, 0x1b, 0x03, 0x3b]);

/**
 * What an unwind record says, in hexadecimal, where the caller's frame lies the same from the first to the last
 * byte of a function: nothing, or once more that it is found at rsp + 8.
 */
const NO_FRAME = ['', '000c0708'];

function mergeUnwindRecords(file: Buffer, header: LibrarySection, frames: LibrarySection): void {
  if (!file.subarray(header.offset, header.offset + 4).equals(TABLE_ENCODING)) return;
  const count = file.readUInt32LE(header.offset + 8);
  const table = header.offset + 12;
  const records = Array.from({ length: count }, (_, i) => {
    const code = file.readInt32LE(table + i * 8);
    const frame = file.readInt32LE(table + i * 8 + 4);
    const at = header.address + frame - frames.address + frames.offset;
    const end = at + 4 + file.readUInt32LE(at);
    return {
      code,
      frame,
      at,
      end,
      common: at + 4 - file.readUInt32LE(at + 4),
      range: file.readUInt32LE(at + 12),
      plain: NO_FRAME.includes(file.toString('hex', at + 16, end).replace(/(00)+$/, '')),
    };
  });
  const merged: typeof records = [];
  for (const record of records) {
    const last = merged.at(-1);
    const adjoins =
      last?.plain &&
      record.plain &&
      last.end === record.at &&
      last.common === record.common &&
      file.compare(file, last.at + 16, last.at + 20, record.at + 16, record.at + 20) === 0 &&
      last.code + last.range === record.code;
    if (adjoins) Object.assign(last, { end: record.end, range: last.range + record.range });
    else merged.push({ ...record });
  }
  for (const { at, end, range, plain } of merged) {
    if (!plain) continue;
    file.writeUInt32LE(end - at - 4, at);
    file.writeUInt32LE(range, at + 12);
    file.fill(0, at + 20, end);
  }
  file.writeUInt32LE(merged.length, header.offset + 8);
  file.fill(0, table, table + count * 8);
  merged.forEach(({ code, frame }, i) => {
    file.writeInt32LE(code, table + i * 8);
    file.writeInt32LE(frame, table + i * 8 + 4);
  });
}
