/**
 * `node kernel.cjs CONNECTION_FILE [--supervised]`: a Jupyter kernel, as its supervisor (kernel.sh) starts it. The same
 * file is the main thread, which runs cells, the transport thread, which holds the connection, and what the supervisor
 * becomes when the kernel has died.
 */
import { isMainThread } from 'node:worker_threads';
import { scriptFile } from '../common/script-file.js';
import { exposeInternals } from '../host/internals.js';
import { isSupervised } from '../host/supervisor-link.js';

async function main(): Promise<void> {
  if (scriptFile() !== undefined) {
    const [{ runScript }, { stripTypes }] = await Promise.all([
      import('../engine/workers.js'),
      import('../engine/strip.js'),
    ]);
    return runScript(stripTypes);
  }
  if (process.argv[2] === '--report-death') {
    const { reportDeath } = await import('../supervisor/report.js');
    return reportDeath(Number(process.argv[3]), process.argv[4] !== undefined);
  }
  if (!isMainThread) return (await import('./serve.js')).serveJupyter();
  exposeInternals();
  const [{ startHost }, { createCellComms }, { stripTypes, loadAmaro }, { readConnection }, { UserError }] =
    await Promise.all([
      import('../host/host.js'),
      import('../comm/cell-comms.js'),
      import('../engine/strip.js'),
      import('./connection.js'),
      import('../../src/common/errors.js'),
    ]);
  try {
    const connection = readConnection(process.argv[2] ?? '');
    startHost({
      worker: __filename,
      transport: connection,
      strip: stripTypes,
      comms: createCellComms,
      isSupervised: isSupervised(),
      prepare: loadAmaro,
    });
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`[arclab kernel] ${error.message}\n`);
    process.exitCode = 2;
  }
}

void main();
