/** What becomes of a notebook on Kaggle: its state, its files, its submission. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeFileAtomic } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import {
  assertSucceeded,
  type KernelStatus,
  lastLine,
  type Pushed,
  type RunClient,
  readStatus,
} from './client.js';
import { KaggleError } from './errors.js';
import { findNotebook } from './verify.js';

/** Beside a notebook: which version of it Kaggle has. */
const PUSHED = 'kaggle-push.json';

const checkPushed = compileSchema<Pushed>(
  {
    type: 'object',
    required: ['url'],
    properties: { url: { type: 'string' }, version: { type: 'integer', minimum: 1 } },
  },
  'what arclab kaggle push has written',
);

/** Keeps what a push came to beside the notebook, for the submission. */
export function rememberPush(folder: string, pushed: Pushed): void {
  writeFileAtomic(join(folder, PUSHED), `${JSON.stringify(pushed)}\n`);
}

/** The name of a notebook on Kaggle: of the one in a folder, or as it is given (`owner/slug`). */
export function kernelId(target: string): string {
  if (existsSync(target)) return String(findNotebook(target).metadata.id);
  if (/^[\w-]+\/[\w-]+$/.test(target)) return target;
  throw new KaggleError(
    `${target}: expected a folder made by arclab kaggle build, or owner/slug of a notebook`,
  );
}

/** How long {@link waitFor} sleeps between two questions, in seconds. */
const ASK_EVERY = 30;

/** The state of the last version of a notebook. */
export async function kernelStatus(kernel: string, run: RunClient): Promise<KernelStatus> {
  return readStatus(await run(['kernels', 'status', kernel]), kernel);
}

/** Asks until the last version of a notebook has ended. @param sleep waits so many seconds */
export async function waitFor(
  kernel: string,
  run: RunClient,
  sleep: (seconds: number) => Promise<void> = (seconds) =>
    new Promise((done) => setTimeout(done, seconds * 1000)),
): Promise<KernelStatus> {
  for (;;) {
    const status = await kernelStatus(kernel, run);
    if (!status.isRunning) return status;
    await sleep(ASK_EVERY);
  }
}

/** The submissions to a competition, newest first, as Kaggle's client prints them. */
export async function submissions(competition: string, run: RunClient): Promise<string> {
  const result = await run(['competitions', 'submissions', competition]);
  assertSucceeded(result, `submissions to ${competition}`);
  return result.output.trim();
}

/** Fetches the files that the last version of a notebook has left, its log among them. @returns what was said */
export async function pullOutput(kernel: string, folder: string, run: RunClient): Promise<string[]> {
  const result = await run(['kernels', 'output', kernel, '-p', folder]);
  assertSucceeded(result, `files of ${kernel}`);
  const files = [...result.output.matchAll(/^(?:Output file|Kernel log) downloaded to (.+?) *$/gm)].map(
    ([, path]) => path!,
  );
  if (files.length === 0)
    throw new KaggleError(
      `files of ${kernel}: Kaggle has none of its last version: ${lastLine(result.output)}`,
    );
  return files;
}

/** What to submit. */
export interface KernelSubmission {
  /** Default: the one that was pushed from this folder. */
  readonly version?: number;
  readonly message?: string;
}

/**
 * Submits a version of a built notebook to its competition: Kaggle runs it again on the real challenges.
 * @returns what Kaggle says
 * @throws {KaggleError} while it runs, when it has failed, or when Kaggle refuses it
 */
export async function submitNotebook(
  folder: string,
  run: RunClient,
  { version, message }: KernelSubmission = {},
): Promise<string> {
  const { metadata } = findNotebook(folder);
  const kernel = String(metadata.id);
  const [competition] = metadata.competition_sources as string[];
  if (competition === undefined) throw new KaggleError(`${folder}: the notebook has no competition`);
  const path = join(folder, PUSHED);
  const chosen = version ?? (existsSync(path) ? checkPushed(readJson(path), path).version : undefined);
  if (chosen === undefined)
    throw new KaggleError(`${folder}: not pushed from here: arclab kaggle push, or --kernel-version <n>`);
  const { status, isRunning, failure } = await kernelStatus(kernel, run);
  if (isRunning)
    throw new KaggleError(
      `${kernel} is ${status}: submit it when it has ended (arclab kaggle status --wait)`,
    );
  if (status !== 'complete')
    throw new KaggleError(
      `${kernel} has ended with status ${status}${failure ? `: ${failure}` : ''}: its log says why (arclab kaggle pull)`,
    );
  const result = await run([
    ...['competitions', 'submit', competition, '-f', 'submission.json'],
    ...['-k', kernel, '-v', String(chosen)],
    ...['-m', message ?? `${metadata.title}, version ${chosen}`],
  ]);
  assertSucceeded(result, `submission to ${competition}`);
  // these come with exit code 0
  if (/^Could not (find competition|submit)/m.test(result.output))
    throw new KaggleError(`submission to ${competition}: ${lastLine(result.output)}`);
  return result.output.trim();
}
