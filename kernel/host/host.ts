import { openSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { createCellComms } from '../comm/cell-comms.js';
import type { CellOutput } from '../contract.js';
import { createDeno } from '../display/deno.js';
import { createDisplay } from '../display/display.js';
import { createProgress, drawProgress } from '../display/progress.js';
import { OutputBar } from '../display/progress-view.js';
import { tags } from '../display/tags.js';
import { createTslab } from '../display/tslab.js';
import { endAllChildren } from '../engine/children.js';
import { currentCell, refuseAbandoned } from '../engine/context.js';
import { Engine } from '../engine/engine.js';
import { exitProcess } from '../engine/exit.js';
import { define } from '../engine/kernel-global.js';
import type { Stripper } from '../engine/strip.js';
import { Channel, newMemory, Side } from './channel.js';
import type { ConnectionData } from './connection.js';
import { readLine } from './input.js';
import { createKeptMemory } from './kept-memory.js';
import { NativeReader, redirectStreams } from './native-output.js';
import { OutputWriter } from './output.js';
import { receiveRequests } from './requests.js';
import { installStdin } from './stdin.js';
import { installStreams } from './streams.js';
import { tellSupervisor } from './supervisor-link.js';

/** File descriptors of the process's streams as they were before the kernel took them. */
export interface StreamFds {
  stdin: number;
  stdout: number;
  stderr: number;
}

/** What the worker finds in `workerData`. */
export interface TransportData<T> {
  engine: ConnectionData;
  /** Where a transport on standard input and output reads and writes, and where any may write its log. */
  streams: StreamFds;
  /** Whether a supervisor waits for this process to die; see supervisor/. */
  isSupervised: boolean;
  transport: T;
}

/** How a kernel is started. */
export interface HostOptions<T> {
  /** The script of the transport thread, which calls `connectToEngine`. */
  worker: string;
  /** What it gets from its host. */
  transport: T;
  strip: Stripper;
  /** The notebook's file; see `EngineOptions`. */
  fileName?: string;
  /** Where the streams are if they were moved before the start, so that nothing is to be captured; see bridge/. */
  streams?: StreamFds;
  /** Makes comms and widgets; a client that has none needs none. */
  comms?: typeof createCellComms;
  /** Default: false. */
  isSupervised?: boolean;
  /** Loads what the first cell needs, while the transport thread starts. No interrupt cuts it off. */
  prepare?: () => void;
}

/** Draws what has moved, where the cell that ends may still show something. */
function drawLast(): void {
  try {
    drawProgress();
  } catch {
    // it was interrupted or has called `process.exit`
  }
}

/** Starts a kernel in this process: the engine on this thread and the transport on another. Once per process. */
export function startHost<T>(options: HostOptions<T>): void {
  const { worker: script, transport, strip, fileName, streams, isSupervised = false } = options;
  const redirected = streams !== undefined ? undefined : redirectStreams(openSync(devNull, 'r'));
  const original = streams ?? redirected?.original ?? { stdin: 0, stdout: 1, stderr: 2 };
  const channel = new Channel(Side.Main, newMemory(isSupervised ? createKeptMemory() : undefined));
  // an interrupt that cut off the start, or the loading of a module, would leave a kernel that can do nothing
  channel.enterCritical();
  const { keptFd } = channel.memory;
  if (keptFd !== undefined && redirected !== undefined) {
    tellSupervisor([keptFd, redirected.pipes.stdout, redirected.pipes.stderr]);
  }
  const requests = new MessageChannel();
  const wake = new MessageChannel();
  const inputs = new MessageChannel();
  const engineData: ConnectionData = {
    memory: channel.memory,
    requests: requests.port2,
    wake: wake.port2,
    inputs: inputs.port2,
    pipes: redirected?.pipes,
  };
  const workerData: TransportData<T> = { engine: engineData, streams: original, isSupervised, transport };
  const worker = new Worker(script, {
    workerData,
    transferList: [requests.port2, wake.port2, inputs.port2],
  });
  worker.on('error', (error) => {
    writeSync(original.stderr, `The kernel's connection broke: ${error?.stack ?? error}\n`);
    exitProcess(1);
  });
  // a transport that cannot do its work ends with an error
  worker.on('exit', (code) => exitProcess(code));

  const native = redirected === undefined ? undefined : new NativeReader(redirected.pipes);
  const output = new OutputWriter(channel, wake.port1, native);
  installStreams(output);
  const emit = (shown: CellOutput) => {
    refuseAbandoned();
    output.send({ type: 'output', id: currentCell()?.id ?? '', output: shown });
  };
  const ask = (prompt = '', password = false) =>
    readLine({ channel, output, inputs: inputs.port1 }, String(prompt), password);
  const display = createDisplay(emit);
  const comms = options.comms?.((message) => output.send(message), display);
  const globals = {
    ...display,
    ...tags,
    ...comms?.globals,
    progress: createProgress(() => comms?.createBar() ?? new OutputBar(display)),
    prompt: (text?: string, options?: { password?: boolean }) => ask(text, options?.password),
  };
  for (const [name, value] of Object.entries(globals)) define(name, value);
  // for libraries that show things by themselves, without taking a name that is not theirs
  define(Symbol.for('arclab.kernel.display'), display.display);

  const engine = new Engine({
    host: {
      send: (message, commit) => {
        if (message.type === 'done') drawLast();
        output.send(message, commit);
      },
      showRunning: (number) => {
        channel.cell = number;
      },
      isInterrupted: (number) => channel.interrupted === number,
      noteAbandoned: () => channel.noteAbandoned(),
      beginCell: (id) => output.beginCell(id),
      critical: (action) => channel.critical(action),
      enterCritical: () => channel.enterCritical(),
      leaveCritical: () => channel.leaveCritical(),
      builtins: { tslab: createTslab(emit, ask) },
      deno: createDeno(display),
    },
    strip,
    fileName,
  });
  installStdin({ output, inputs: inputs.port1, isRunning: (cell) => engine.isRunning(cell) });
  receiveRequests(requests.port1, channel, (request, number, accept) => {
    switch (request.type) {
      case 'execute':
        engine.request(request.id, number, request.request, accept);
        break;
      case 'abandon':
        output.recover();
        engine.abandon(request.id, accept);
        comms?.recover();
        break;
      case 'properties': {
        channel.critical(accept);
        const { id, expression } = request;
        output.send({ type: 'properties', id, names: engine.properties(expression) });
        break;
      }
      case 'describe': {
        channel.critical(accept);
        const { id, expression } = request;
        output.send({ type: 'describe', id, text: engine.describe(expression) });
        break;
      }
      case 'comm':
        channel.critical(accept);
        if (comms !== undefined) comms.receive(request.id, request.message);
        else output.send({ type: 'comm-done', id: request.id, isKnown: false });
        break;
      case 'shutdown':
        endAllChildren();
        exitProcess(0);
    }
  });
  options.prepare?.();
  channel.leaveCritical();
}
