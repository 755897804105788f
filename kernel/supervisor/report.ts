/**
 * The last words of a kernel that has died, said by its supervisor: it takes over the kernel's ports for a moment,
 * waits for the clients to come back, as ZeroMQ's do by themselves, and sends what they have not got yet.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapStatistics } from 'node:v8';
import type { CellOutcome } from '../contract.js';
import { addressOf, type ConnectionInfo, placeOf } from '../jupyter/connection.js';
import { IoPub } from '../jupyter/iopub.js';
import type { PendingCells, PendingRequest } from '../jupyter/pending.js';
import { Publisher } from '../jupyter/publisher.js';
import { Wire } from '../jupyter/wire.js';
import { causeOf, endOf, ownWords } from './cause.js';
import { type Leftovers, readLeftovers } from './leftovers.js';

/** How long clients are waited for, in ms: less than Jupyter takes to see twice that a kernel is gone. */
const PATIENCE_MS = 3000;
const RETRY_MS = 20;
/** How long what was sent may take to leave, in ms. */
const LINGER_MS = 500;
/** Which bytes of a write that was going on have reached a client, nobody can know. */
const REPEAT_NOTE =
  '[arclab kernel] What follows may repeat what is above: the kernel died while it sent its output\n';

const log = (text: string) => void process.stderr.write(`[arclab kernel] ${text}\n`);

/**
 * Tells the log and the clients that the kernel has died, unless it was ending anyway, and ends this process.
 * @param code how it ended, as a shell says it @param isKept whether there is anything to be read
 */
export async function reportDeath(code: number, isKept: boolean): Promise<void> {
  const left = isKept ? readLeftovers() : undefined;
  if (left?.memory.isEnding !== true) {
    const heapLimitMb = Math.round(getHeapStatistics().heap_size_limit / 2 ** 20);
    const cause = causeOf({ ...endOf(code), stderr: left?.stderr ?? '', heapLimitMb });
    process.stderr.write(left?.stderr ?? '');
    log(`The kernel has died: ${cause}. Its variables are lost.`);
    // where it could not listen, there are no clients
    if (left?.pending !== undefined && left.memory.listeners > 0) {
      try {
        await tellClients(left, left.pending, cause);
      } catch (error) {
        log(`The clients could not be told: ${String(error)}`);
      }
    }
    endGroup();
  }
  process.exit(code);
}

async function tellClients(left: Leftovers, pending: PendingCells, cause: string): Promise<void> {
  const speaker = await Speaker.open(pending.connection);
  await speaker.waitFor(left.memory.listeners);
  await speaker.say(left, pending, cause);
  await speaker.close();
}

/** Ends what the kernel has left running, as a server does that starts it anew: all of the group that this one leads. */
function endGroup(): void {
  process.on('SIGTERM', () => {});
  try {
    process.kill(-process.pid, 'SIGTERM');
  } catch {
    // it leads none
  }
}

/** The two sockets of the kernel that its last words go through. */
class Speaker {
  readonly #wire: Wire;
  readonly #shell: import('zeromq').Router;
  readonly #publisher: Publisher;
  readonly #iopub: IoPub;
  readonly #deadline = Date.now() + PATIENCE_MS;
  #listeners = 0;

  private constructor({ key, hash }: ConnectionInfo, shell: import('zeromq').Router) {
    this.#wire = new Wire(key, hash);
    this.#shell = shell;
    this.#publisher = new Publisher({
      onSubscription: () => {
        this.#listeners++;
      },
      lossNote: () => [],
      log,
    });
    this.#iopub = new IoPub(this.#wire, this.#publisher);
  }

  static async open(connection: ConnectionInfo): Promise<Speaker> {
    const zmq = await import('zeromq');
    const shell = new zmq.Router({ mandatory: true, handover: true, sendHighWaterMark: 0 });
    const speaker = new Speaker(connection, shell);
    await shell.bind(addressOf(connection, 'shell'));
    await speaker.#publisher.listen(placeOf(connection, 'iopub'));
    return speaker;
  }

  /** Waits until as many listen again, or for as long as patience lasts. */
  async waitFor(listeners: number): Promise<void> {
    while (this.#listeners < listeners && Date.now() < this.#deadline) await sleep(RETRY_MS);
  }

  /** Sends what was not sent, and answers all requests. */
  async say(
    { messages, mayRepeat, stdout, stderr, lostBytes }: Leftovers,
    { requests, last }: PendingCells,
    cause: string,
  ): Promise<void> {
    const current = requests.find(({ cell }) => cell !== undefined) ?? last;
    const ofCell = (id: string) => requests.find(({ cell }) => cell?.id === id) ?? current;
    const outcomes = new Map<string, CellOutcome>();
    const show = (name: 'stdout' | 'stderr', text: string) =>
      this.#iopub.output({ type: 'stream', name, text }, current?.header);
    if (lostBytes > 0) show('stderr', `[arclab kernel] ${lostBytes} bytes of output are lost here\n`);
    if (mayRepeat) show('stderr', REPEAT_NOTE);
    for (const message of messages) {
      const request = ofCell(message.id);
      if (message.type === 'done') outcomes.set(message.id, message.outcome);
      else if (request?.silent) continue;
      else if (message.type === 'output') this.#iopub.output(message.output, request?.header);
      else if (message.type === 'late-error') this.#iopub.publish('error', message.error, request?.header);
    }
    show('stdout', stdout);
    show('stderr', ownWords(stderr));
    if (!requests.some(({ cell }) => cell)) {
      show('stderr', `[arclab kernel] The kernel has died: ${cause}. All variables are lost.\n`);
    }
    for (const request of requests) {
      const outcome = outcomes.get(request.cell?.id ?? '') ?? death(cause);
      await this.#answer(request, request.cell === undefined ? { status: 'aborted' } : outcome);
    }
    this.#iopub.flush();
  }

  async #answer(
    { header, identities, silent, cell }: PendingRequest,
    outcome: CellOutcome | { status: 'aborted' },
  ): Promise<void> {
    if (!silent && outcome.status === 'error') {
      const { ename, evalue, traceback } = outcome;
      this.#iopub.publish('error', { ename, evalue, traceback }, header);
    } else if (!silent && outcome.status === 'ok' && outcome.result) {
      this.#iopub.publish('execute_result', { execution_count: cell?.count, ...outcome.result }, header);
    }
    this.#iopub.status('idle', header);
    const { status } = outcome;
    const more = status === 'error' ? outcome : status === 'ok' ? { user_expressions: {}, payload: [] } : {};
    const content = { status, execution_count: cell?.count ?? null, ...more };
    const frames = this.#wire.encode('execute_reply', content, header, {
      identities: identities.map((identity) => Buffer.from(identity, 'base64')),
      metadata: { status },
    });
    await this.#reply(frames);
  }

  /** Sends a reply when its client is there again. */
  async #reply(frames: Buffer[]): Promise<void> {
    for (;;) {
      try {
        await this.#shell.send(frames);
        return;
      } catch {
        if (Date.now() > this.#deadline) return;
        await sleep(RETRY_MS);
      }
    }
  }

  async close(): Promise<void> {
    await this.#publisher.close(LINGER_MS);
    this.#shell.linger = LINGER_MS;
    this.#shell.close();
  }
}

/** What a cell gets that ran when its kernel died. */
function death(cause: string): CellOutcome {
  const evalue = `${cause}. All variables are lost`;
  return { status: 'error', ename: 'KernelDied', evalue, traceback: [`KernelDied: ${evalue}`] };
}
