import { join } from 'node:path';
import { userDataFolder } from '../../kernelspec/folders.js';
import { HistoryFile } from './file.js';
import { History } from './history.js';

/**
 * The history that the environment asks for: ARCLAB_KERNEL_HISTORY names its file, or is `off`; else it is in
 * Jupyter's folder of the person.
 */
export function openHistory(log: (text: string) => void, env: NodeJS.ProcessEnv = process.env): History {
  const asked = env.ARCLAB_KERNEL_HISTORY;
  if (asked === 'off') return new History();
  return new History(new HistoryFile(asked || join(userDataFolder(env), 'arclab', 'history.jsonl'), log));
}
