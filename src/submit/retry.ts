/** @file What a failure leads to: less is asked at once, another model is tried, or an item is given up. */
import type { Chunk, PlannedItem } from './plan.js';
import { halves, withItems } from './queue.js';
import type { Process, Struck, Worker } from './state.js';
import { count, setGroup, type Turn } from './turn.js';

/** Asks again for what a request has left: in halves, or not at all when it stands alone. */
export function retry(
  turn: Turn,
  chunk: Chunk,
  loaded: Process['loaded'],
  items: readonly PlannedItem[],
  message: string,
): void {
  const { group } = chunk;
  const { adapters, struck, answers } = turn.groups[group]!;
  const [item] = items;
  if (item === undefined || adapters.length === 0) return;
  if (loaded?.adapter !== adapters[0]) {
    // what an adapter that was given up has failed at is for the next one
    putBack(turn, [withItems(chunk, items)]);
  } else if (items.length > 1) {
    putBack(turn, halves(chunk, items));
  } else {
    setGroup(turn, group, { struck: [...struck, { item, chunk: withItems(chunk, items), message }] });
    count(turn, [item]);
    const isBusyWith = ({ process }: Worker) =>
      process !== null && 'chunk' in process.activity && process.activity.chunk.group === group;
    const isLast = !turn.queue.some((chunk) => chunk.group === group) && !turn.workers.some(isBusyWith);
    // a search that fails says nothing of a model that may have answered in an earlier part of the submission
    const failures = turn.groups[group]!.struck.filter(({ item: { views } }) => views === undefined).length;
    if (answers === 0 && failures > 0 && (isLast || failures >= turn.policy.maxModelFailures)) {
      giveUpModel(turn, group, loaded!.adapter, message);
    }
  }
}

/** Goes on to the next adapter of a group; what failed with this one gets another chance. */
export function giveUpModel(turn: Turn, group: number, adapter: string | null, message: string): void {
  const { adapters, struck } = turn.groups[group]!;
  const [present, next] = adapters;
  if (present !== adapter) return;
  const text = `${adapter === null ? 'the base model' : `the adapter ${adapter}`} cannot be used: ${message}`;
  turn.actions.push({ type: 'fail', failure: { stage: 'model', message: text } });
  const instead =
    next === undefined ? 'nothing is left to predict with' : `${next ?? 'the base model'} takes its place`;
  turn.actions.push({ type: 'note', text: `${text}; ${instead}` });
  setGroup(turn, group, { adapters: adapters.slice(1), answers: 0, loadDeaths: 0 });
  if (next === undefined) {
    turn.queue = turn.queue.filter((chunk) => chunk.group !== group);
    return;
  }
  const again = [...struck].sort((a, b) => a.item.i - b.item.i);
  setGroup(turn, group, { struck: [], adaptDeaths: {}, unadapted: [] });
  count(
    turn,
    again.map(({ item }) => item),
    -1,
  );
  putBack(turn, joined(again));
}

/** Items that failed, those that may be asked together as one chunk again. */
function joined(struck: readonly Struck[]): Chunk[] {
  const chunks = new Map<string | PlannedItem | undefined, Chunk>();
  for (const { item, chunk } of struck) {
    const key = item.views === undefined ? chunk.taskId : item;
    const known = chunks.get(key);
    chunks.set(key, known ? { ...known, items: [...known.items, item] } : chunk);
  }
  return [...chunks.values()];
}

/** Puts work in front of the queue, unless its group has no model left. */
export function putBack(turn: Turn, chunks: readonly Chunk[]): void {
  turn.queue = [...chunks.filter(({ group }) => turn.groups[group]!.adapters.length > 0), ...turn.queue];
}
