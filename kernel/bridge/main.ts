/**
 * `node kernel-bridge.cjs`: runs TypeScript cells for a program that exchanges lines of JSON over standard input and
 * output; the messages are those of contract.ts. The same file is the main thread and the transport thread, so
 * that it can be carried alone.
 *
 *   → {"type":"execute","id":"1","request":{"code":"6 * 7","name":"cell-1.ts"}}
 *   ← {"type":"done","id":"1","outcome":{"status":"ok","result":{"data":{"text/plain":"42"},"metadata":{}}}}
 */
import { isMainThread } from 'node:worker_threads';
import { scriptFile } from '../common/script-file.js';
import { loadAmaro, stripTypes } from '../engine/strip.js';
import { runScript } from '../engine/workers.js';
import { exposeInternals } from '../host/internals.js';
import { startBridge } from './start.js';

if (scriptFile() !== undefined) runScript(stripTypes);
else {
  if (isMainThread) exposeInternals();
  startBridge(__filename, stripTypes, loadAmaro);
}
