/**
 * `node kernel.cjs CONNECTION_FILE`: a Jupyter kernel, as `kernel.json` starts it. The same file is the main
 * thread, which runs cells, and the transport thread, which holds the connection.
 */
import { isMainThread } from 'node:worker_threads';
import { exposeInternals } from '../host/internals.js';

async function main(): Promise<void> {
  if (!isMainThread) return (await import('./serve.js')).serveJupyter();
  exposeInternals();
  const [{ startHost }, { stripTypes, loadAmaro }, { readConnection }, { UserError }] = await Promise.all([
    import('../host/host.js'),
    import('../engine/strip.js'),
    import('./connection.js'),
    import('../common/errors.js'),
  ]);
  try {
    const connection = readConnection(process.argv[2] ?? '');
    startHost({ worker: __filename, transport: connection, strip: stripTypes });
    loadAmaro();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`[arclab kernel] ${error.message}\n`);
    process.exitCode = 2;
  }
}

void main();
