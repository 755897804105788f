import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, UserError } from '../../src/common/errors.js';
import { type ConnectionInfo, socketNames } from '../jupyter/connection.js';
import type { KernelSpec } from './kernelspecs.js';

/** Lines of the standard error that are kept, for the person who has to know why a kernel died. */
const KEPT_LINES = 5;

/** The process of a kernel ended, wanted or not. */
export class KernelDiedError extends Error {
  override name = 'KernelDiedError';

  /** @param how such as `exit code 3` @param stderr the last lines of its standard error */
  constructor(
    readonly how: string,
    readonly stderr: readonly string[],
  ) {
    super(`the kernel died (${how})${stderr.length > 0 ? `; its last words: ${stderr.join(' | ')}` : ''}`);
  }
}

/** A kernel as a process of its own, in a group of its own: Ctrl-C in a terminal does not reach it. */
export class KernelProcess {
  /** Settles when the process has ended. */
  readonly died: Promise<KernelDiedError>;
  readonly connection: ConnectionInfo;
  #child: ChildProcess;
  #folder: string;
  #tail = '';
  #ended = false;
  /** Nothing of this one outlives the program, whichever way it ends. */
  #atExit = () => this.#cleanUp();

  private constructor(spec: KernelSpec, cwd: string, connection: ConnectionInfo) {
    this.connection = connection;
    // a folder that only this user can read, because the file has the key
    this.#folder = mkdtempSync(join(tmpdir(), 'kernel-'));
    process.once('exit', this.#atExit);
    const file = join(this.#folder, 'connection.json');
    writeFileSync(file, connectionFile(connection, spec.name), { mode: 0o600 });
    const fill = (text: string) =>
      text.replaceAll('{connection_file}', file).replaceAll('{resource_dir}', spec.folder ?? '');
    const [command, ...args] = spec.argv.map(fill);
    this.#child = spawn(command!, args, {
      cwd,
      // ipykernel and ours end by themselves when the process that started them is gone
      env: { ...process.env, ...expand(spec.env), JPY_PARENT_PID: String(process.pid) },
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (chunk: Buffer) => {
      this.#tail = (this.#tail + chunk.toString('utf8')).slice(-10_000);
    };
    this.#child.stdout!.on('data', () => {});
    this.#child.stderr!.on('data', keep);
    this.died = new Promise((resolve) => {
      this.#child.once('error', (error) =>
        resolve(this.#end(`cannot start ${command}: ${messageOf(error)}`)),
      );
      this.#child.once('exit', (code, signal) => {
        // what it said last may still be in the pipe; a child of its own may keep that open for ever
        const said = Promise.race([once(this.#child, 'close'), new Promise((done) => setTimeout(done, 100))]);
        void said.then(() =>
          resolve(this.#end(signal === null ? `exit code ${code}` : `killed by ${signal}`)),
        );
      });
    });
  }

  /** Starts a kernel with ports that are free now. */
  static async start(spec: KernelSpec, cwd: string): Promise<KernelProcess> {
    const free = await freePorts(socketNames.length);
    const ports = Object.fromEntries(
      socketNames.map((channel, i) => [channel, free[i]!]),
    ) as ConnectionInfo['ports'];
    const key = randomBytes(16).toString('hex');
    return new KernelProcess(spec, cwd, { transport: 'tcp', ip: '127.0.0.1', ports, key, hash: 'sha256' });
  }

  /** Removes the connection file, once the kernel has read it: even a program that is killed leaves nothing behind. */
  forgetConnectionFile(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isAlive(): boolean {
    return !this.#ended;
  }

  /** Sends a signal to the kernel and to all processes that it started. */
  signal(name: NodeJS.Signals): void {
    try {
      if (process.platform === 'win32') this.#child.kill(name);
      else if (this.#child.pid !== undefined) process.kill(-this.#child.pid, name);
    } catch {
      // it has ended
    }
  }

  #end(how: string): KernelDiedError {
    this.#ended = true;
    this.#cleanUp();
    const lines = this.#tail.split('\n').map((line) => line.trim());
    return new KernelDiedError(how, lines.filter((line) => line !== '').slice(-KEPT_LINES));
  }

  /** Ends what is left of the group, and removes the connection file. */
  #cleanUp(): void {
    process.off('exit', this.#atExit);
    this.signal('SIGKILL');
    this.forgetConnectionFile();
  }
}

function connectionFile({ transport, ip, key, hash, ports }: ConnectionInfo, kernel: string): string {
  const named = Object.fromEntries(socketNames.map((channel) => [`${channel}_port`, ports[channel]]));
  return JSON.stringify({
    transport,
    ip,
    key,
    signature_scheme: `hmac-${hash}`,
    kernel_name: kernel,
    ...named,
  });
}

/** `${NAME}` in the environment of a kernelspec is a variable of ours. */
function expand(env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      value.replace(/\$\{(\w+)\}|\$(\w+)/g, (all, a, b) => process.env[a ?? b] ?? all),
    ]),
  );
}

/** Ports that nothing listens on; all are held until all are known, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  try {
    return await Promise.all(
      servers.map(async (server) => {
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
        return (server.address() as { port: number }).port;
      }),
    );
  } catch (error) {
    throw new UserError(`cannot listen on 127.0.0.1: ${messageOf(error)}`);
  } finally {
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  }
}
