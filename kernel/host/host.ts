import { openSync, writeSync } from 'node:fs';
import { devNull } from 'node:os';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { CellOutput, ToEngine } from '../contract.js';
import { createDisplay } from '../display/display.js';
import { createProgress, drawProgress } from '../display/progress.js';
import { createTslab } from '../display/tslab.js';
import { currentCell, refuseAbandoned } from '../engine/context.js';
import { Engine } from '../engine/engine.js';
import { exitProcess } from '../engine/exit.js';
import { define } from '../engine/kernel-global.js';
import type { Stripper } from '../engine/strip.js';
import { Channel, Side } from './channel.js';
import type { ConnectionData } from './connection.js';
import { readLine } from './input.js';
import { NativeReader, redirectStreams } from './native-output.js';
import { OutputWriter } from './output.js';
import { installStdin } from './stdin.js';
import { installStreams } from './streams.js';

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
}

/** Starts a kernel in this process: the engine on this thread and the transport on another. Once per process. */
export function startHost<T>({ worker: script, transport, strip, fileName, streams }: HostOptions<T>): void {
  const redirected = streams !== undefined ? undefined : redirectStreams(openSync(devNull, 'r'));
  const original = streams ?? redirected?.original ?? { stdin: 0, stdout: 1, stderr: 2 };
  const channel = new Channel(Side.Main);
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
  const workerData: TransportData<T> = { engine: engineData, streams: original, transport };
  const worker = new Worker(script, {
    workerData,
    transferList: [requests.port2, wake.port2, inputs.port2],
  });
  worker.on('error', (error) => {
    writeSync(original.stderr, `The kernel's connection broke: ${error?.stack ?? error}\n`);
    exitProcess(1);
  });
  // a transport that cannot do its work ends, and says why
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
  const globals = {
    ...display,
    progress: createProgress(display),
    prompt: (text?: string, options?: { password?: boolean }) => ask(text, options?.password),
  };
  for (const [name, value] of Object.entries(globals)) define(name, value);
  // for libraries that show things by themselves, without taking a name that is not theirs
  define(Symbol.for('arclab.kernel.display'), display.display);

  const engine = new Engine({
    host: {
      send: (message) => output.send(message),
      beginCell: (id) => output.beginCell(id),
      critical: (action) => channel.critical(action),
      builtins: { tslab: createTslab(emit, ask) },
    },
    strip,
    fileName,
  });
  installStdin({ output, inputs: inputs.port1, isRunning: (cell) => engine.running === cell });
  const answer = async (message: ToEngine | { type: 'shutdown' }) => {
    switch (message.type) {
      case 'execute': {
        const { id, request } = message;
        const outcome = await engine.run(id, request);
        drawProgress();
        output.send({ type: 'done', id, outcome });
        break;
      }
      case 'abandon':
        channel.hearInterrupt();
        output.recover();
        channel.critical(() => engine.abandon(message.id));
        break;
      case 'properties':
        output.send({ type: 'properties', id: message.id, names: engine.properties(message.expression) });
        break;
      case 'describe':
        output.send({ type: 'describe', id: message.id, text: engine.describe(message.expression) });
        break;
      case 'shutdown':
        exitProcess(0);
    }
  };
  requests.port1.on('message', answer);
}
