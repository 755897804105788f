/**
 * The program that runs the `%%ts` cells of a Kaggle notebook: the kernel's bridge, with a stripper of types that is
 * small enough to be carried along. Main thread and transport thread are the same file.
 */
import { join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { type Options, transform } from 'sucrase';
import { serveLines } from '../../kernel/bridge/serve-lines.js';
import { scriptFile } from '../../kernel/common/script-file.js';
import { SourceSyntaxError, type Stripper } from '../../kernel/engine/strip.js';
import { runScript } from '../../kernel/engine/workers.js';
import { startHost } from '../../kernel/host/host.js';

const options: Options = {
  transforms: ['typescript'],
  disableESTransforms: true,
  // another cell may use them
  keepUnusedImports: true,
};

/** Removes types; lines stay lines. */
const strip: Stripper = (source, fileName) => {
  try {
    return { code: transform(source, options).code };
  } catch (error) {
    const { message, loc } = error as Error & { loc?: { line: number; column: number } };
    if (loc === undefined) throw error;
    throw new SourceSyntaxError(message.replace(/ \(\d+:\d+\)$/, ''), fileName, loc.line, loc.column - 1);
  }
};

if (scriptFile() !== undefined) runScript(strip);
else if (isMainThread) {
  // cells import 'arclab' as if they lay beside it
  startHost({ worker: __filename, transport: undefined, strip, fileName: join(__dirname, 'notebook.ts') });
} else serveLines();
