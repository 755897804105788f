import { writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { workerData } from 'node:worker_threads';
import { UserError } from '../../src/common/errors.js';
import { connectToEngine } from '../host/connection.js';
import type { TransportData } from '../host/host.js';
import { endWithParent } from '../host/supervisor-link.js';
import { LanguageClient } from '../language/client.js';
import type { ConnectionInfo } from './connection.js';
import type { TypeWarnings } from './executor.js';
import { openHistory } from './history/open.js';
import { JupyterServer } from './server.js';

/** The transport thread of a Jupyter kernel. A port that is taken ends the process with exit code 2. */
export async function serveJupyter(): Promise<void> {
  const { streams, isSupervised, transport: connection } = workerData as TransportData<ConnectionInfo>;
  // not through process.stderr, which waits for the main thread
  const log = (text: string) => void writeSync(streams.stderr, `[arclab kernel] ${text}\n`);
  const workerPath = join(dirname(fileURLToPath(import.meta.url)), 'kernel-language.cjs');
  const language = new LanguageClient({ folder: process.cwd(), workerPath });
  try {
    const types = typeWarnings(log);
    const server = await JupyterServer.start({
      connection,
      engine: connectToEngine(),
      language,
      types,
      history: openHistory(log),
      log,
    });
    endWithParent(() => server.close(), isSupervised);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    log(error.message);
    process.exit(2);
  }
}

/** What ARCLAB_KERNEL_TYPES asks for. */
function typeWarnings(log: (text: string) => void): TypeWarnings {
  const value = process.env.ARCLAB_KERNEL_TYPES ?? 'late';
  if (value === 'late' || value === 'wait' || value === 'off') return value;
  log(`ARCLAB_KERNEL_TYPES is "${value}"; expected late, wait or off. It is late now.`);
  return 'late';
}
