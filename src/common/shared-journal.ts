/** @file Journals of processes that share one result: each appends to a file of its own, and any run finds what all have left. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Identity, Journal } from './journal.js';

/**
 * Opens the journal of a rank. The first one's is that of a process alone; it takes over what other ranks have left
 * there, however many there were.
 * @throws {UserError} as {@link Journal.open}
 */
export function openShared<T>(
  path: string,
  identity: Identity,
  { onNote, rank }: { onNote: (text: string) => void; rank: number },
): Journal<T> {
  if (rank > 0) return Journal.open<T>(`${path}-${rank}`, identity, { onNote });
  const others = journalsOfRanks(path).map((file) => Journal.open<T>(file, identity, { onNote }));
  let journal = Journal.open<T>(path, identity, { onNote });
  const found = others.flatMap((other) => other.found);
  if (found.length > 0) {
    for (const entry of found) journal.append(entry);
    journal.close();
    journal = Journal.open<T>(path, identity, { onNote });
  }
  for (const other of others) other.finish([path]);
  return journal;
}

/** The journals beside that of the first rank. */
function journalsOfRanks(path: string): string[] {
  const folder = dirname(path);
  if (!existsSync(folder)) return [];
  const start = `${basename(path)}-`;
  return readdirSync(folder)
    .filter((name) => name.startsWith(start) && /^\d+$/.test(name.slice(start.length)))
    .map((name) => join(folder, name));
}
