/**
 * @file The ranks of a job over plain sockets, a star around rank 0: for what is small, such as the options of a run,
 * the id of an NCCL communicator and results. Each message is its length (4 bytes), its kind (1 byte) and its bytes.
 *
 * A rank is let in when it knows the job's token, names a rank that is free and the same number of ranks. A connection
 * that ends without a goodbye is a rank that has died: the others are told at once which.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../../common/errors.js';
import { bytesOf, type Collective, sumInto } from './collective.js';

/** How ranks find each other. */
export interface ExchangeOptions {
  readonly rank: number;
  readonly size: number;
  readonly localRank?: number;
  readonly host: string;
  readonly port: number;
  /** What all ranks of one job know, and no other job. */
  readonly token: string;
  /** Seconds that ranks may take to come; default 300. */
  readonly patience?: number;
  /** Told once that a rank is gone, in one line; the job cannot go on. */
  readonly onLost: (reason: string) => void;
}

const Kind = { hello: 1, welcome: 2, refused: 3, part: 4, all: 5, bye: 6, lost: 7 } as const;

/** Before a rank is let in, its message may be no longer. */
const LONGEST_HELLO = 1024;
const LONGEST = 2 ** 30;
/** Milliseconds between two tries to reach rank 0, which may start last. */
const RETRY = 100;

/** Bytes before those of a message: their number, and its kind. */
const HEAD = 5;

/** Reads and writes the messages of one connection. */
class Channel {
  #pieces: Buffer[] = [];
  #received = 0;
  /** Bytes that have to be there before anything can be read. */
  #wanted = HEAD;
  longest = LONGEST_HELLO;
  saidBye = false;
  onMessage: (kind: number, bytes: Uint8Array) => void = () => {};

  constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 10_000);
    socket.on('data', (data) => this.#read(data));
    socket.on('error', () => {}); // it is closed next
  }

  send(kind: number, bytes: Uint8Array = new Uint8Array()): void {
    const head = Buffer.alloc(HEAD);
    head.writeUInt32LE(bytes.length, 0);
    head[4] = kind;
    this.socket.write(head);
    if (bytes.length > 0) this.socket.write(bytes);
  }

  #read(data: Buffer): void {
    this.#pieces.push(data);
    this.#received += data.length;
    // joined once for each message: a large one comes in thousands of pieces
    if (this.#received < this.#wanted) return;
    let pending = Buffer.concat(this.#pieces);
    this.#wanted = HEAD;
    while (pending.length >= HEAD) {
      const length = pending.readUInt32LE(0);
      if (length > this.longest) {
        this.socket.destroy(); // whoever that is speaks something else
        return;
      }
      if (pending.length < HEAD + length) {
        this.#wanted = HEAD + length;
        break;
      }
      const kind = pending[4]!;
      const bytes = new Uint8Array(pending.subarray(HEAD, HEAD + length));
      pending = pending.subarray(HEAD + length);
      if (kind === Kind.bye) this.saidBye = true;
      else this.onMessage(kind, bytes);
    }
    this.#pieces = [pending];
    this.#received = pending.length;
  }
}

const digest = (token: string): string => createHash('sha256').update(token).digest('hex');
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

/** What a rank says of itself. */
interface Hello {
  readonly token: string;
  readonly rank: number;
  readonly size: number;
  readonly host: string;
}

/** The ranks of a job, each connected to rank 0. */
export class Exchange implements Collective {
  readonly rank: number;
  readonly size: number;
  readonly localRank: number;
  readonly name: string;
  readonly sumsTensors = false;
  readonly #options: ExchangeOptions;
  readonly #channels = new Map<number, Channel>();
  /** What each rank has brought to the round that is not over yet, and of one that has come early. */
  readonly #parts = new Map<number, Uint8Array[]>();
  #waiting: { resolve: (parts: Uint8Array[]) => void; reject: (error: Error) => void } | undefined;
  #arrived: Uint8Array[][] = [];
  #server: Server | undefined;
  #isOver = false;
  #lost: string | undefined;

  private constructor(options: ExchangeOptions) {
    this.#options = options;
    this.rank = options.rank;
    this.size = options.size;
    this.localRank = options.localRank ?? 0;
    this.name = `sockets (${options.host}:${options.port})`;
  }

  /** Waits until all ranks are there. @throws {UserError} when they do not come, or the port is in use */
  static async join(options: ExchangeOptions): Promise<Exchange> {
    const exchange = new Exchange(options);
    if (options.rank === 0) await exchange.#gatherRanks();
    else await exchange.#reachFirst();
    return exchange;
  }

  async allReduce(values: Float32Array | Float64Array): Promise<void> {
    sumInto(values, await this.allGather(bytesOf(values)));
  }

  allGather(bytes: Uint8Array): Promise<Uint8Array[]> {
    if (this.#lost !== undefined) return Promise.reject(new UserError(this.#lost));
    const result = new Promise<Uint8Array[]>((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
    if (this.rank === 0) this.#take(0, bytes.slice());
    else {
      this.#channels.get(0)!.send(Kind.part, bytes);
      this.#deliver();
    }
    return result;
  }

  async broadcast(bytes: Uint8Array, root: number): Promise<void> {
    const parts = await this.allGather(this.rank === root ? bytes : new Uint8Array());
    if (this.rank !== root) bytes.set(parts[root]!);
  }

  async barrier(): Promise<void> {
    await this.allGather(new Uint8Array());
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const channel of this.#channels.values()) {
      channel.send(Kind.bye);
      channel.socket.end();
    }
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }

  abort(code: number): never {
    this.#isOver = true;
    for (const { socket } of this.#channels.values()) socket.destroy();
    process.exit(code);
  }

  /** Rank 0: a part of a round, and the round's end when it is the last. */
  #take(rank: number, bytes: Uint8Array): void {
    this.#parts.set(rank, [...(this.#parts.get(rank) ?? []), bytes]);
    const lists = Array.from({ length: this.size }, (_, i) => this.#parts.get(i) ?? []);
    if (lists.some((list) => list.length === 0)) return;
    const round = lists.map((list) => list.shift()!);
    const lengths = Buffer.from(bytesOf(Uint32Array.from(round, ({ length }) => length)));
    const all = Buffer.concat([lengths, ...round]);
    for (const channel of this.#channels.values()) channel.send(Kind.all, all);
    this.#arrived.push(round);
    this.#deliver();
  }

  #deliver(): void {
    if (this.#waiting === undefined || this.#arrived.length === 0) return;
    const { resolve } = this.#waiting;
    this.#waiting = undefined;
    resolve(this.#arrived.shift()!);
  }

  /** A rank is gone: everybody who is left is told, and nothing goes on. */
  #lose(reason: string): void {
    if (this.#isOver || this.#lost !== undefined) return;
    this.#lost = reason;
    for (const channel of this.#channels.values()) channel.send(Kind.lost, Buffer.from(reason));
    this.#waiting?.reject(new UserError(reason));
    this.#options.onLost(reason);
  }

  /** Rank 0 opens the port and lets the others in. */
  async #gatherRanks(): Promise<void> {
    const { host, port, size, token, patience = 300 } = this.#options;
    const server = createServer();
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        const reason =
          error.code === 'EADDRINUSE' ? 'is in use' : `cannot be opened (${error.code ?? error.message})`;
        reject(
          new UserError(
            `MASTER_PORT: port ${port} ${reason}: give all ranks another MASTER_PORT, such as ${port + 7}`,
          ),
        );
      });
      server.listen(port, () => resolve());
    });
    const hosts = new Map<number, string>();
    let whenComplete = () => {};
    const complete = new Promise<void>((resolve) => {
      whenComplete = resolve;
    });
    server.on('connection', (socket) => {
      const channel = new Channel(socket);
      const timer = setTimeout(() => socket.destroy(), 10_000).unref();
      channel.onMessage = (kind, bytes) => {
        clearTimeout(timer);
        const hello = kind === Kind.hello ? readHello(bytes) : undefined;
        const refusal = hello
          ? refusalOf(hello, { size, token, taken: hosts })
          : 'it speaks another protocol';
        if (!hello || refusal !== undefined) {
          channel.send(Kind.refused, Buffer.from(refusal ?? ''));
          socket.end();
          return;
        }
        const { rank } = hello;
        hosts.set(rank, hello.host);
        this.#channels.set(rank, channel);
        channel.longest = LONGEST;
        channel.onMessage = (kind, part) => {
          if (kind === Kind.part) this.#take(rank, part);
        };
        socket.on('close', () => {
          if (!channel.saidBye) this.#lose(`rank ${rank} (on ${hello.host}) has ended; the others stop`);
        });
        if (this.#channels.size === size - 1) whenComplete();
      };
    });
    if (!(await inTime(complete, patience))) {
      const missing = Array.from({ length: size }, (_, i) => i).filter((i) => i > 0 && !hosts.has(i));
      this.#isOver = true;
      for (const { socket } of this.#channels.values()) socket.destroy();
      server.close();
      throw new UserError(
        `rank ${missing.join(', ')} of ${size} did not come to ${host}:${port} within ${patience} s: start ${size} ` +
          'processes with the same MASTER_ADDR and MASTER_PORT, and RANK from 0 on',
      );
    }
    for (const channel of this.#channels.values()) channel.send(Kind.welcome);
  }

  /** The others look for rank 0. */
  async #reachFirst(): Promise<void> {
    const { host, port, rank, size, token, patience = 300 } = this.#options;
    const end = performance.now() + 1000 * patience;
    while (true) {
      const channel = await tryToConnect(host, port);
      if (channel) {
        const answer = await this.#introduce(
          channel,
          { token: digest(token), rank, size, host: hostname() },
          end,
        );
        if (answer === undefined) return;
        throw new UserError(`rank ${rank} is not let in at ${host}:${port}: ${answer}`);
      }
      if (performance.now() > end) {
        throw new UserError(
          `MASTER_ADDR: rank 0 was not found at ${host}:${port} within ${patience} s: expected its address and port there`,
        );
      }
      await sleep(RETRY);
    }
  }

  /** @returns undefined when this rank is let in, else why not */
  #introduce(channel: Channel, hello: Hello, end: number): Promise<string | undefined> {
    channel.longest = LONGEST;
    this.#channels.set(0, channel);
    channel.send(Kind.hello, Buffer.from(JSON.stringify(hello)));
    return new Promise((resolve) => {
      const timer = setTimeout(
        () => resolve('other ranks did not come in time'),
        Math.max(1000, end - performance.now()),
      );
      channel.socket.on('close', () => {
        clearTimeout(timer);
        resolve('the connection was closed');
        if (!channel.saidBye) this.#lose('rank 0 has ended; the others stop');
      });
      channel.onMessage = (kind, bytes) => {
        if (kind === Kind.welcome || kind === Kind.refused) {
          clearTimeout(timer);
          if (kind === Kind.refused) this.#isOver = true;
          resolve(kind === Kind.welcome ? undefined : text(bytes));
        } else if (kind === Kind.lost) this.#lose(text(bytes));
        else if (kind === Kind.all) {
          this.#arrived.push(partsOf(bytes, this.size));
          this.#deliver();
        }
      };
    });
  }
}

/** The parts of a round, which begins with their lengths. */
function partsOf(bytes: Uint8Array, size: number): Uint8Array[] {
  const lengths = new Uint32Array(bytes.slice(0, 4 * size).buffer);
  let end = 4 * size;
  return Array.from(lengths, (length) => {
    end += length;
    return bytes.subarray(end - length, end);
  });
}

function readHello(bytes: Uint8Array): Hello | undefined {
  try {
    const { token, rank, size, host } = JSON.parse(text(bytes)) as Partial<Hello>;
    const isOne = typeof token === 'string' && typeof host === 'string' && Number.isInteger(rank);
    return isOne ? { token, rank: rank!, size: Number(size), host } : undefined;
  } catch {
    return undefined;
  }
}

/** Why a rank is not let in. */
function refusalOf(
  { token, rank, size }: Hello,
  job: { readonly size: number; readonly token: string; readonly taken: ReadonlyMap<number, string> },
): string | undefined {
  const [given, wanted] = [Buffer.from(token), Buffer.from(digest(job.token))];
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
    return 'another job waits there; give each its own MASTER_PORT';
  }
  if (size !== job.size)
    return `rank 0 expects ${job.size} ranks, this one ${size}: the same WORLD_SIZE for all`;
  if (rank < 1 || rank >= job.size) return `expected a rank from 1 to ${job.size - 1}, found ${rank}`;
  const other = job.taken.get(rank);
  return other === undefined ? undefined : `rank ${rank} is there already (on ${other}): each its own RANK`;
}

function tryToConnect(host: string, port: number): Promise<Channel | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once('error', () => resolve(undefined));
    socket.once('connect', () => resolve(new Channel(socket)));
  });
}

async function inTime(promise: Promise<void>, seconds: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(1000 * seconds, false, { signal: timer.signal }).catch(() => false);
  const result = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return result;
}
