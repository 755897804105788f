/**
 * Kaggle's own command line, which knows the account. It ends with exit code 0 when a push is refused, a data source
 * is dropped or a file was not uploaded: only its text says so, and so its text is read.
 */
import { spawn } from 'node:child_process';
import { KaggleError } from './errors.js';

/** How a command of the client ended. */
export interface ClientResult {
  readonly code: number;
  /** Both of its streams, as they came. */
  readonly output: string;
}

/** Runs a command of the client and shows what it says meanwhile. */
export type RunClient = (args: readonly string[]) => Promise<ClientResult>;

/**
 * Runs `kaggle` from PATH.
 * @param show where its output goes while it runs; uploads take long
 * @throws {KaggleError} when it is not installed
 */
export function kaggleClient(show: (text: string) => void = () => {}): RunClient {
  return (args) =>
    new Promise((done, reject) => {
      // its progress bars and warnings have characters that a plain locale cannot write
      const env = { ...process.env, PYTHONIOENCODING: 'utf-8' };
      const child = spawn('kaggle', [...args], { stdio: ['inherit', 'pipe', 'pipe'], env });
      let output = '';
      const read = (text: string) => {
        output += text;
        show(text);
      };
      child.stdout.setEncoding('utf8').on('data', read);
      child.stderr.setEncoding('utf8').on('data', read);
      child.on('error', (error: NodeJS.ErrnoException) => {
        reject(
          new KaggleError(
            `Kaggle's command line does not run (${error.code}): pip install kaggle, and save the API token of your ` +
              'account settings as ~/.kaggle/kaggle.json',
          ),
        );
      });
      child.on('close', (code) => done({ code: code ?? 1, output }));
    });
}

/** The last line that says something: of a traceback the error. */
export function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() || 'it printed nothing';
}

/** @throws {KaggleError} when the client ended with another exit code than 0 */
export function assertSucceeded({ code, output }: ClientResult, what: string): void {
  if (code !== 0)
    throw new KaggleError(`${what}: Kaggle's client ended with exit code ${code}: ${lastLine(output)}`);
}

/** A notebook that is now on Kaggle. */
export interface Pushed {
  /** The number of the version that runs now; undefined where Kaggle does not tell. */
  readonly version?: number;
  readonly url: string;
}

/**
 * Reads what `kaggle kernels push` said.
 * @throws {KaggleError} when it was refused, or runs without something that belongs to it
 */
export function readPush(result: ClientResult): Pushed {
  assertSucceeded(result, 'push');
  const { output } = result;
  const refused = /^Kernel push error: ?(.*)/m.exec(output);
  if (refused) throw new KaggleError(`push: Kaggle refused the notebook: ${refused[1]}`);
  const [, version, url] =
    /^Kernel version (?:(\d+) )?successfully pushed\.\s+Please check progress at (\S+)/m.exec(output) ?? [];
  if (url === undefined)
    throw new KaggleError(
      `push: Kaggle's client does not say that it pushed the notebook: ${lastLine(output)}`,
    );
  const dropped = [
    ...output.matchAll(/^The following are not valid (.*?) and could not\s+be added to the kernel: (.*)/gm),
  ].map(([, kind, names]) => `${kind} ${names}`);
  if (dropped.length > 0) {
    throw new KaggleError(
      `push: ${url} runs${version ? ` as version ${version}` : ''}, but without ${dropped.join(', ')}: ` +
        'correct the names in the configuration, or wait until Kaggle has processed the data, and push again',
    );
  }
  return version === undefined ? { url } : { version: Number(version), url };
}

/** States of a notebook's last version, as Kaggle names them. */
const RUNNING = ['queued', 'running', 'new_script', 'cancel_requested'];

/** What became of a notebook's last version. */
export interface KernelStatus {
  /** `complete`, `running`, `error`, … */
  readonly status: string;
  readonly isRunning: boolean;
  readonly failure?: string;
}

/** Reads what `kaggle kernels status` said. @throws {KaggleError} when it says no status */
export function readStatus(result: ClientResult, kernel: string): KernelStatus {
  assertSucceeded(result, `status of ${kernel}`);
  // newer clients print the name of an enumeration: KernelWorkerStatus.COMPLETE
  const status = /has status "(?:\w+\.)?(\w+)"/.exec(result.output)?.[1]?.toLowerCase();
  if (status === undefined)
    throw new KaggleError(`status of ${kernel}: Kaggle's client says none: ${lastLine(result.output)}`);
  const failure = /^Failure message: "(.*)"/m.exec(result.output)?.[1];
  return { status, isRunning: RUNNING.includes(status), ...(failure ? { failure } : {}) };
}
