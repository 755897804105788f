/** A Jupyter client for tests, on real sockets; written from the specification, with nothing of the kernel's own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Dealer, Request, Subscriber } from 'zeromq';
import { kernelCommand } from '../../../kernel/kernelspec/spec.js';

export interface Received {
  type: string;
  parent: string | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into contents of every type
  content: any;
  metadata: Record<string, unknown>;
  buffers: Buffer[];
}

export interface Answer {
  reply: Received;
  /** What came on iopub for the request, without `busy` and `idle`. */
  outputs: Received[];
}

export interface StartOptions {
  key?: string;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** How many messages of output the client's ZeroMQ takes in while the client takes none; default no limit. */
  outputLimit?: number;
  /** Whether the process leads a group of its own, as a Jupyter server starts it. */
  detached?: boolean;
}

const bundle = fileURLToPath(new URL('../../../dist/kernel.cjs', import.meta.url));
export const DELIMITER = '<IDS|MSG>';

/** Ports that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Writes a connection file into a folder of its own. */
export async function connectionFile(
  key: string,
): Promise<{ path: string; folder: string; ports: number[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'arclab-kernel-'));
  const path = join(folder, 'connection.json');
  const ports = await freePorts(5);
  const [shell_port, iopub_port, stdin_port, control_port, hb_port] = ports;
  const file = { shell_port, iopub_port, stdin_port, control_port, hb_port };
  const rest = { transport: 'tcp', ip: '127.0.0.1', key, signature_scheme: 'hmac-sha256' };
  writeFileSync(path, JSON.stringify({ ...file, ...rest }));
  return { path, folder, ports };
}

export function startProcess(path: string, { env, cwd, detached }: StartOptions = {}): ChildProcess {
  const [program, ...args] = kernelCommand(bundle);
  return spawn(program!, [...args, path], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
    detached,
    // not into the history of the person who runs the tests
    env: { ...process.env, ARCLAB_KERNEL_HISTORY: 'off', ...env },
  });
}

/** A running kernel and a client that is connected with it. */
export class KernelClient {
  readonly process: ChildProcess;
  /** What the process said on its own streams. */
  log = '';
  readonly #key: string;
  readonly #session = randomUUID();
  readonly #folder: string;
  readonly ports: readonly number[];
  readonly shell = new Dealer({ receiveHighWaterMark: 0, routingId: this.#session });
  readonly control = new Dealer({ routingId: this.#session });
  readonly stdin = new Dealer({ routingId: this.#session });
  readonly iopub: Subscriber;
  #outputGate: Promise<void> | undefined;
  #openOutput = () => {};
  readonly exited: Promise<number | null>;
  #waiting: { matches: (message: Received) => boolean; resolve: (message: Received) => void }[] = [];
  #kept: Received[] = [];

  private constructor(child: ChildProcess, key: string, folder: string, ports: number[], outputLimit = 0) {
    this.iopub = new Subscriber({ receiveHighWaterMark: outputLimit });
    this.process = child;
    this.#key = key;
    this.#folder = folder;
    this.ports = ports;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (data: Buffer) => {
        this.log += data.toString();
      });
    }
    this.exited = new Promise((resolve) => child.on('exit', resolve));
  }

  static async start(options: StartOptions = {}): Promise<KernelClient> {
    const key = options.key ?? 'a secret of this test';
    const { path, folder, ports } = await connectionFile(key);
    const client = new KernelClient(startProcess(path, options), key, folder, ports, options.outputLimit);
    const [shell, iopub, stdin, control] = ports.map((port) => `tcp://127.0.0.1:${port}`);
    client.shell.connect(shell!);
    client.control.connect(control!);
    client.stdin.connect(stdin!);
    client.iopub.connect(iopub!);
    client.iopub.subscribe();
    for (const name of ['shell', 'control', 'stdin', 'iopub'] as const) void client.#listen(client[name]);
    await client.next((message) => message.type === 'iopub_welcome');
    await client.ask('kernel_info_request', {});
    return client;
  }

  async #listen(socket: Dealer | Subscriber): Promise<void> {
    for await (const frames of socket) {
      if (socket === this.iopub) await this.#outputGate;
      const at = frames.findIndex((frame) => frame.toString() === DELIMITER);
      const [signature, ...parts] = frames.slice(at + 1);
      if (signature!.toString() !== this.sign(parts.slice(0, 4))) throw new Error('the kernel signs wrongly');
      const [header, parent, metadata, content] = parts
        .slice(0, 4)
        .map((part) => JSON.parse(part.toString()));
      const message: Received = {
        type: header.msg_type,
        parent: parent.msg_id,
        content,
        metadata,
        buffers: frames.slice(at + 6),
      };
      const index = this.#waiting.findIndex(({ matches }) => matches(message));
      if (index < 0) this.#kept.push(message);
      else this.#waiting.splice(index, 1)[0]!.resolve(message);
    }
  }

  sign(parts: readonly (string | Buffer)[]): string {
    if (this.#key === '') return '';
    const hmac = createHmac('sha256', this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  }

  /** The first message, already here or still to come, that fits. */
  next(matches: (message: Received) => boolean): Promise<Received> {
    const index = this.#kept.findIndex(matches);
    if (index >= 0) return Promise.resolve(this.#kept.splice(index, 1)[0]!);
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  /** Frames of a request, and its id. */
  frames(type: string, content: object, more: object = {}): { id: string; frames: string[] } {
    const id = randomUUID();
    const date = new Date().toISOString();
    const header = {
      msg_id: id,
      msg_type: type,
      session: this.#session,
      username: 'test',
      date,
      version: '5.4',
      ...more,
    };
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part));
    return { id, frames: [DELIMITER, this.sign(parts), ...parts] };
  }

  /** Sends a request. @returns its id */
  async send(
    type: string,
    content: object,
    channel: 'shell' | 'control' | 'stdin' = 'shell',
    buffers: readonly Buffer[] = [],
    header: object = {},
  ): Promise<string> {
    const { id, frames } = this.frames(type, content, header);
    await this[channel].send([...frames, ...buffers]);
    return id;
  }

  /** Takes no output until `resumeOutput` is called. */
  pauseOutput(): void {
    this.#outputGate = new Promise((resolve) => {
      this.#openOutput = resolve;
    });
  }

  resumeOutput(): void {
    this.#outputGate = undefined;
    this.#openOutput();
  }

  reply(id: string): Promise<Received> {
    return this.next(({ parent, type }) => parent === id && type.endsWith('_reply'));
  }

  /** Everything that was published for a request until it was idle, without the states. */
  async outputs(id: string): Promise<Received[]> {
    const outputs: Received[] = [];
    for (;;) {
      const message = await this.next(({ parent, type }) => parent === id && !type.endsWith('_reply'));
      const state = message.type === 'status' && message.content.execution_state;
      if (state === 'idle') return outputs;
      if (state !== 'busy') outputs.push(message);
    }
  }

  /** The reply to a request and everything that was published for it until it was idle. */
  async answer(id: string): Promise<Answer> {
    const outputs = await this.outputs(id);
    return { reply: await this.reply(id), outputs };
  }

  async ask(type: string, content: object, channel: 'shell' | 'control' = 'shell'): Promise<Answer> {
    return this.answer(await this.send(type, content, channel));
  }

  execute(code: string, options: object = {}): Promise<Answer> {
    return this.ask('execute_request', { code, ...options });
  }

  async answerInput(value: string): Promise<void> {
    await this.stdin.send(this.frames('input_reply', { value, status: 'ok' }).frames);
  }

  /** Whether the heart still beats. */
  async heartbeat(): Promise<boolean> {
    const socket = new Request({ receiveTimeout: 20_000 });
    socket.connect(`tcp://127.0.0.1:${this.ports[4]}`);
    await socket.send('ping');
    const [answer] = await socket.receive();
    socket.close();
    return answer!.toString() === 'ping';
  }

  /** Asks the kernel to end. @returns its exit code */
  async shutdown(): Promise<number | null> {
    await this.send('shutdown_request', { restart: false }, 'control');
    const code = await this.exited;
    this.close();
    return code;
  }

  close(): void {
    this.process.kill('SIGKILL');
    for (const socket of [this.shell, this.control, this.stdin, this.iopub]) socket.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The text of a stream of an answer. */
export function streamText({ outputs }: Answer, name: 'stdout' | 'stderr' = 'stdout'): string {
  return outputs
    .filter(({ type, content }) => type === 'stream' && content.name === name)
    .map(({ content }) => content.text)
    .join('');
}
