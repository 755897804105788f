/** @file A Redis server that a queue can be on: found, and checked before anything is put there. */
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { messageOf, UserError } from '../../common/errors.js';
import { OptionError } from '../../common/option-names.js';

/** BullMQ's scripts need what came with it. */
const OLDEST = [6, 2] as const;

/** Milliseconds for a first answer. */
const PATIENCE = 5000;

/** The packages of a queue. They are optional: nobody who has no queue has them. */
export interface QueuePackages {
  readonly bullmq: typeof import('bullmq');
  readonly Redis: typeof Redis;
}

/** Loads the packages of a queue. @throws {UserError} that says how to get them */
async function loadQueuePackages(): Promise<QueuePackages> {
  try {
    const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]);
    return { bullmq, Redis: ioredis.Redis };
  } catch (error) {
    if (!/^(ERR_MODULE|MODULE)_NOT_FOUND$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new OptionError('queue', {
      hint: 'it needs two packages that are not installed: npm install bullmq@6 ioredis@5',
    });
  }
}

/** The variable of the environment that may hold the address: no password stands in the list of processes then. */
export const QUEUE_VARIABLE = 'ARCLAB_QUEUE';

/** The address that is given, else that of the environment. */
export function queueAddress(given: string | undefined): string | undefined {
  const { [QUEUE_VARIABLE]: own } = process.env;
  return given ?? (own === '' ? undefined : own);
}

/** An address without its user, password and query, also where it is not written as it should be. */
export function shownUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@').replace(/\?.*$/s, '');
}

/** @throws {OptionError} for what is no address of a Redis server */
function checkUrl(url: string): void {
  let protocol = '';
  try {
    protocol = new URL(url).protocol;
  } catch {
    // said below
  }
  if (protocol === 'redis:' || protocol === 'rediss:') return;
  throw new OptionError('queue', {
    expected: 'an address such as redis://localhost:6379',
    found: shownUrl(url),
  });
}

/** Why a server does not do, in words. */
function refusal(error: unknown, url: string): UserError {
  const message = messageOf(error);
  const where = shownUrl(url);
  const told = (text: string) => new UserError(`\`queue\`: ${where}: ${text}`);
  if (/NOAUTH|WRONGPASS|invalid password|NOPERM/.test(message)) {
    return told(
      "Redis refuses this user or password; give them as redis://user:password@host:port, in ARCLAB_QUEUE where others see this machine's processes",
    );
  }
  if (isFull(error)) return full(url);
  const reason = (error as NodeJS.ErrnoException).code ?? message;
  return told(
    `no Redis answers (${reason}); start one, such as redis-server --appendonly yes, or leave \`queue\` out`,
  );
}

/** Whether Redis has refused to write for want of memory. */
export const isFull = (error: unknown): boolean => /^OOM |'maxmemory'/.test(messageOf(error));

/** Says that a server has no room. */
export const full = (url: string): UserError =>
  new UserError(
    `\`queue\`: ${shownUrl(url)}: Redis is full (maxmemory); give it more memory, or remove what is not needed. Nothing that is done is lost: the same command goes on`,
  );

/** The fields of an answer to INFO. */
const fieldsOf = (info: string): Map<string, string> =>
  new Map([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name!, value!]));

/** @throws {UserError} when a server is too old, full, or may throw jobs away */
function checkInfo(info: string, url: string): void {
  const fields = fieldsOf(info);
  const version = fields.get('redis_version') ?? '0';
  // Valkey counts its own versions, and says which Redis it is like
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new UserError(
      `\`queue\`: ${shownUrl(url)}: expected Redis ${OLDEST.join('.')} or newer, found ${version}`,
    );
  }
  const [used, most] = ['used_memory', 'maxmemory'].map((name) => Number(fields.get(name) ?? 0)) as [
    number,
    number,
  ];
  if (most === 0) return;
  if (used >= most) throw full(url);
  const policy = fields.get('maxmemory_policy') ?? 'noeviction';
  if (policy !== 'noeviction') {
    throw new UserError(
      `\`queue\`: ${shownUrl(url)}: Redis may throw runs away when it is full (maxmemory-policy ${policy}); set it to noeviction`,
    );
  }
}

/**
 * Connects to a server and checks that a queue can be on it.
 * @returns a connection that waits for the server when it is gone for a while; the caller ends it
 * @throws {UserError} in one line
 */
async function connect(url: string, { Redis }: QueuePackages): Promise<Redis> {
  checkUrl(url);
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: PATIENCE,
    maxRetriesPerRequest: null,
    retryStrategy: () => null,
  });
  let cause: unknown;
  redis.on('error', (error) => {
    cause = error;
  });
  try {
    await redis.connect();
    checkInfo(await withPatience(redis.info()), url);
  } catch (error) {
    redis.disconnect();
    throw error instanceof UserError ? error : refusal(cause ?? error, url);
  }
  // from now on a server that is gone is waited for
  redis.options.retryStrategy = (times) => Math.min(100 * times, 2000);
  return redis;
}

/** A queue on a server that does, and what its parts are made of. */
export interface OpenQueue<T> {
  readonly packages: QueuePackages;
  readonly redis: Redis;
  readonly queue: Queue<T>;
  close(): Promise<void>;
}

/** Opens a queue. @throws {UserError} when the server is down, full, too old, or packages are missing */
export async function openQueue<T>(url: string, name: string): Promise<OpenQueue<T>> {
  const packages = await loadQueuePackages();
  const redis = await connect(url, packages);
  const queue = new packages.bullmq.Queue<T>(name, { connection: redis });
  queue.on('error', () => {}); // the connection is waited for, and what is refused is thrown
  const close = async () => {
    await queue.close();
    redis.disconnect();
  };
  return { packages, redis, queue, close };
}

/** @throws {Error} when something takes too long */
async function withPatience<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
