import { createHash, type Hash } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HubError } from './errors.js';

/** How far one file's download is, in bytes. */
export interface DownloadProgress {
  file: string;
  received: number;
  total: number | undefined;
}

/** Tells of large downloads in lines, one for each tenth of a file; for `onProgress`. */
export function downloadNotes(note: (text: string) => void): (progress: DownloadProgress) => void {
  let last = '';
  return ({ file, received, total }) => {
    if (total === undefined || total < 10e6) return;
    const text = `downloading ${file}: ${10 * Math.floor((10 * received) / total)} % of ${Math.round(total / 1e6)} MB`;
    if (text !== last) note(text);
    last = text;
  };
}

/** A server's refusal. */
export class StatusError extends Error {
  override name = 'StatusError';
  readonly status: number;

  constructor(url: string, status: number) {
    super(`${url} answers ${status}`);
    this.status = status;
  }
}

/** A file to download. */
export interface DownloadRequest {
  url: string;
  target: string;
  headers: Record<string, string>;
  /** Expected bytes. */
  size: number | undefined;
  /** The SHA-256 of the file (64 digits) or the SHA-1 of its git blob (40 digits). */
  hash: string;
  /** What to call it in messages. */
  name: string;
  onProgress?: (progress: DownloadProgress) => void;
}

/** Tries before giving up; each continues where the last one stopped. */
const attempts = 5;
/** A connection that sends nothing for this long, in ms, is dropped and resumed. */
const idleLimit = 60_000;

/**
 * Downloads a file to `<target>.incomplete` and renames it when its size and hash are right. What an earlier
 * try or process left in the incomplete file is continued.
 * @throws {HubError} when the file's content is not what was announced
 */
export async function download(request: DownloadRequest): Promise<void> {
  const { target, name, hash, size } = request;
  const partial = `${target}.incomplete`;
  mkdirSync(dirname(target), { recursive: true });
  for (let attempt = 1; ; attempt++) {
    try {
      await transfer(request, partial);
      break;
    } catch (error) {
      if (error instanceof StatusError && error.status === 416) rmSync(partial, { force: true });
      else if (error instanceof StatusError && error.status < 500 && error.status !== 429) throw error;
      if (attempt === attempts) throw error;
      await sleep(100 * 2 ** attempt);
    }
  }
  const actual = await hashOf(partial, hash.length === 64 ? 'sha256' : 'git');
  if (actual !== hash) {
    rmSync(partial, { force: true });
    throw new HubError(
      `${name}: the downloaded file is damaged (hash ${actual.slice(0, 12)}…, expected ${hash.slice(0, 12)}…` +
        `${size === undefined ? '' : ` of ${size} bytes`}). It was removed: run the command again`,
    );
  }
  renameSync(partial, target);
}

async function transfer(
  { url, headers, size, name, onProgress }: DownloadRequest,
  partial: string,
): Promise<void> {
  let received = existsSync(partial) ? statSync(partial).size : 0;
  if (size !== undefined && received === size && size > 0) return;
  if (size !== undefined && received > size) received = 0;
  const abort = new AbortController();
  let timer = setTimeout(() => abort.abort(), idleLimit);
  try {
    const response = await fetch(url, {
      headers: received > 0 ? { ...headers, range: `bytes=${received}-` } : headers,
      signal: abort.signal,
    });
    if (!response.ok) throw new StatusError(url, response.status);
    // a server that ignores the range sends all of it again
    if (response.status !== 206) received = 0;
    const file = await open(partial, received > 0 ? 'a' : 'w');
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        clearTimeout(timer);
        timer = setTimeout(() => abort.abort(), idleLimit);
        await file.writeFile(chunk);
        received += chunk.length;
        onProgress?.({ file: name, received, total: size });
      }
    } finally {
      await file.close();
    }
  } finally {
    clearTimeout(timer);
  }
  if (size !== undefined && received < size) {
    throw new Error(`${name}: the connection ended after ${received} of ${size} bytes`);
  }
}

/** SHA-256 of a file, or the SHA-1 that git gives its content. */
async function hashOf(path: string, kind: 'sha256' | 'git'): Promise<string> {
  const hash: Hash = createHash(kind === 'git' ? 'sha1' : 'sha256');
  if (kind === 'git') hash.update(`blob ${statSync(path).size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
