import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelClient, type Received } from '../jupyter/client.js';

// biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every command
type Body = any;

/** A kernel in a folder of its own, with a client of its debugger. */
export class DebugSession {
  readonly kernel: KernelClient;
  readonly folder: string;
  #seq = 0;
  /** Events that came while a request was answered. */
  readonly #events: Received[] = [];

  private constructor(kernel: KernelClient, folder: string) {
    this.kernel = kernel;
    this.folder = folder;
  }

  /** @param files of the folder, by name */
  static async start(files: Record<string, string> = {}): Promise<DebugSession> {
    const folder = mkdtempSync(join(tmpdir(), 'arclab-debug-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const kernel = await KernelClient.start({ env: { ARCLAB_KERNEL_TYPES: 'off' }, cwd: folder });
    return new DebugSession(kernel, folder);
  }

  /** Sends a request and returns the whole response. */
  async request(command: string, args?: object): Promise<Body> {
    const content = { type: 'request', seq: ++this.#seq, command, ...(args && { arguments: args }) };
    const { reply, outputs } = await this.kernel.ask('debug_request', content, 'control');
    this.#events.push(...outputs.filter(({ type }) => type === 'debug_event'));
    return reply.content;
  }

  /** Sends a request that must succeed and returns its body. */
  async ask(command: string, args?: object): Promise<Body> {
    const { success, message, body } = await this.request(command, args);
    if (!success) throw new Error(`${command} failed: ${message}`);
    return body;
  }

  async attach(): Promise<void> {
    await this.ask('initialize', {});
    await this.ask('attach', {});
    await this.event('initialized');
  }

  /** The body of the next event of that name. */
  async event(name: string): Promise<Body> {
    const matches = ({ type, content }: Received) => type === 'debug_event' && content.event === name;
    const at = this.#events.findIndex(matches);
    const message = at >= 0 ? this.#events.splice(at, 1)[0]! : await this.kernel.next(matches);
    return message.content.body;
  }

  /** Tells of a cell and sets breakpoints at lines of it. @returns its path and the breakpoints */
  async breakIn(code: string, ...lines: number[]): Promise<{ path: string; breakpoints: Body[] }> {
    const { sourcePath: path } = await this.ask('dumpCell', { code });
    return { path, breakpoints: await this.breakInFile(path, ...lines) };
  }

  async breakInFile(path: string, ...lines: number[]): Promise<Body[]> {
    const breakpoints = lines.map((line) => ({ line }));
    return (await this.ask('setBreakpoints', { source: { path }, breakpoints })).breakpoints;
  }

  /** Begins a cell and waits until it stops. @returns the id of the request */
  async runToStop(code: string): Promise<string> {
    const id = await this.kernel.send('execute_request', { code });
    await this.event('stopped');
    return id;
  }

  /** Sends a step and waits for the stop after it. */
  async step(command: 'next' | 'stepIn' | 'stepOut' | 'continue'): Promise<Body> {
    await this.ask(command, { threadId: 1 });
    return this.event('stopped');
  }

  async frames(): Promise<Body[]> {
    return (await this.ask('stackTrace', { threadId: 1 })).stackFrames;
  }

  /** `name:line` of all frames, the innermost first. */
  async where(): Promise<string[]> {
    return (await this.frames()).map(({ name, line }: Body) => `${name}:${line}`);
  }

  /** The variables of a scope of the innermost frame, by name. */
  async scope(name: string): Promise<Record<string, Body>> {
    const [frame] = await this.frames();
    const { scopes } = await this.ask('scopes', { frameId: frame.id });
    const scope = scopes.find((one: Body) => one.name === name);
    if (!scope) throw new Error(`no scope "${name}" among ${scopes.map((one: Body) => one.name)}`);
    return this.children(scope);
  }

  /** What is inside of a variable or a scope, by name. */
  async children({ variablesReference }: Body): Promise<Record<string, Body>> {
    const { variables } = await this.ask('variables', { variablesReference });
    return Object.fromEntries(variables.map((variable: Body) => [variable.name, variable]));
  }

  /** Lets the program run on and waits for the end of a cell. @returns the content of its reply */
  async finish(id: string): Promise<Body> {
    await this.ask('continue', { threadId: 1 });
    return (await this.kernel.answer(id)).reply.content;
  }

  close(): void {
    this.kernel.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
