/**
 * Memory that outlives the process: a file without a name (`memfd`), mapped by both threads and held open by the
 * supervisor, which reads in it what a kernel that died had not sent yet. Linux only; elsewhere nothing is kept.
 */
import { nativeLibrary } from './native-output.js';
import { MAX_RECORD_BYTES, Ring, type RingRecord, recordBytes } from './ring.js';

/** Bytes of the ring of output, see host/channel.ts. */
export const RING_BYTES = 4 * 1024 * 1024;
/** Bytes of the ring of what the transport itself has taken from the pipes of native code and child processes. */
const NATIVE_BYTES = 512 * 1024;
/** Bytes of each of the two texts of pending requests; one is valid while the other is written. */
const TEXT_BYTES = 64 * 1024;
const TEXTS_AT = RING_BYTES + NATIVE_BYTES;
const WORDS_AT = TEXTS_AT + 2 * TEXT_BYTES;
const TOTAL_BYTES = WORDS_AT + 4096;

const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

/** Numbers in the memory. */
enum Word {
  /** Bytes ever written to the ring, taken by the transport, and handed to the system for all clients; mod 2³². */
  Written,
  Read,
  Sent,
  /** The same of the ring of native output. */
  NativeWritten,
  NativeSent,
  /** 1 when the kernel ends because it was asked to. */
  Ending,
  /** How many clients listen to the outputs. */
  Listeners,
  /** 1 while output is being handed to the system: how much of it a client gets is not known if the process dies. */
  Sending,
  /** Which of the two texts is valid, and their lengths. */
  Text,
  Length0,
  Length1,
}

/** The layout of the memory; the same in both threads, and over a copy of it in the supervisor. */
export class KeptMemory {
  readonly ring: Ring;
  readonly #native: Ring;
  readonly #words: Int32Array;
  readonly #texts: Uint8Array;
  readonly #encoder = new TextEncoder();

  constructor(memory: ArrayBufferLike) {
    this.ring = new Ring(memory, 0, RING_BYTES);
    this.#native = new Ring(memory, RING_BYTES, NATIVE_BYTES);
    this.#texts = new Uint8Array(memory, TEXTS_AT, 2 * TEXT_BYTES);
    this.#words = new Int32Array(memory, WORDS_AT, 1024);
  }

  static readonly bytes = TOTAL_BYTES;

  set written(position: number) {
    this.#words[Word.Written] = position;
  }

  set read(position: number) {
    this.#words[Word.Read] = position;
  }

  /** Everything up to there is with the system, for all clients that get it. */
  setSent(position: number, nativePosition: number): void {
    this.#words[Word.Sent] = position;
    this.#words[Word.NativeSent] = nativePosition;
  }

  /** Keeps what the transport has taken from a pipe when the ring stood at `end`. @returns the position behind it */
  keepNative({ kind, bytes, end }: RingRecord): number {
    const content = Buffer.alloc(4 + bytes.length);
    content.writeInt32LE(end);
    content.set(bytes, 4);
    const position = this.#native.put(this.#words[Word.NativeWritten]!, kind, content);
    this.#words[Word.NativeWritten] = position;
    return position;
  }

  /** What was not sent, in order; `lostBytes` of it were written over meanwhile. */
  unsent(): { records: RingRecord[]; lostBytes: number } {
    const [written, read, sent] = [Word.Written, Word.Read, Word.Sent].map((word) => this.#words[word]!) as [
      number,
      number,
      number,
    ];
    const isOver = ({ size }: Ring, bytes: number) => bytes >>> 0 > size - recordBytes(MAX_RECORD_BYTES);
    const from = isOver(this.ring, written - sent) ? read : sent;
    const records = this.ring.between(from, written);
    const [nativeWritten, nativeSent] = [this.#words[Word.NativeWritten]!, this.#words[Word.NativeSent]!];
    const isNativeLost = isOver(this.#native, nativeWritten - nativeSent);
    const native = isNativeLost ? [] : this.#native.between(nativeSent, nativeWritten);
    const lostBytes = ((from - sent) >>> 0) + (isNativeLost ? (nativeWritten - nativeSent) >>> 0 : 0);
    return { records: merge(records, native), lostBytes };
  }

  get isEnding(): boolean {
    return this.#words[Word.Ending] === 1;
  }
  set isEnding(ending: boolean) {
    this.#words[Word.Ending] = ending ? 1 : 0;
  }

  get listeners(): number {
    return this.#words[Word.Listeners]!;
  }
  set listeners(count: number) {
    this.#words[Word.Listeners] = count;
  }

  /** Whether clients may have got, when the process ended, some of what `unsent` gives. */
  get isSending(): boolean {
    return this.#words[Word.Sending] === 1;
  }
  set isSending(sending: boolean) {
    this.#words[Word.Sending] = sending ? 1 : 0;
  }

  get text(): string {
    const index = this.#words[Word.Text]! & 1;
    const start = index * TEXT_BYTES;
    const length = this.#words[Word.Length0 + index]!;
    return Buffer.from(this.#texts.subarray(start, start + length)).toString();
  }

  /** Replaces the text: whenever the process ends, either the old one is there or the new one. @returns whether it had room */
  setText(text: string): boolean {
    const index = 1 - (this.#words[Word.Text]! & 1);
    const place = this.#texts.subarray(index * TEXT_BYTES, (index + 1) * TEXT_BYTES);
    const { read, written } = this.#encoder.encodeInto(text, place);
    if (read < text.length) return false;
    this.#words[Word.Length0 + index] = written;
    this.#words[Word.Text] = index;
    return true;
  }
}

/** Makes such memory. @returns its file descriptor, or undefined where the system has none */
export function createKeptMemory(): number | undefined {
  const native = nativeLibrary();
  if (native === undefined || process.platform !== 'linux') return undefined;
  const { handle } = native;
  const fd: number = handle.func('int memfd_create(const char *, unsigned int)')(
    'arclab-kernel',
    MFD_CLOEXEC,
  );
  if (fd < 0) return undefined;
  return handle.func('int ftruncate(int, long)')(fd, TOTAL_BYTES) === 0 ? fd : undefined;
}

/** Maps the memory into this thread: each has a mapping of its own. */
export function mapKeptMemory(fd: number): KeptMemory {
  const native = nativeLibrary();
  if (native === undefined) throw new Error('koffi is missing');
  const { koffi, handle } = native;
  const mmap = handle.func('void *mmap(void *, size_t, int, int, int, long)');
  const address = mmap(null, TOTAL_BYTES, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  // (void *)-1
  if (BigInt.asIntN(64, BigInt(address)) === -1n) throw new Error('mmap failed');
  return new KeptMemory(koffi.view(address, TOTAL_BYTES));
}

/** Native output goes behind the record at whose end it was taken. */
function merge(records: readonly RingRecord[], native: readonly RingRecord[]): RingRecord[] {
  const all = [...records];
  for (const { kind, bytes } of native) {
    const end = Buffer.from(bytes.buffer, bytes.byteOffset).readInt32LE();
    const after = all.findLastIndex((record) => record.end === end || ((record.end - end) | 0) < 0);
    all.splice(after + 1, 0, { kind, bytes: bytes.subarray(4), end });
  }
  return all;
}
