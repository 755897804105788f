import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { AbandonedError, currentCell, refuseAbandoned } from '../engine/context.js';
import type { Channel } from './channel.js';
import type { OutputWriter } from './output.js';

/** What the transport answers. */
export interface InputAnswer {
  text?: string;
  interrupted?: boolean;
}

/** The client has no person to ask. */
export class NoInputError extends Error {
  constructor() {
    super('input is not available: this client does not support it');
  }
}

/** Takes away the answers to questions that were interrupted. */
export function forgetAnswers(inputs: MessagePort): void {
  while (receiveMessageOnPort(inputs) !== undefined);
}

/** Asks the person for a line; everything in this thread waits for the answer. */
export function readLine(
  { channel, output, inputs }: { channel: Channel; output: OutputWriter; inputs: MessagePort },
  prompt: string,
  password: boolean,
): string {
  refuseAbandoned();
  forgetAnswers(inputs);
  let seen = channel.inputs;
  output.send({ type: 'input-request', id: currentCell()?.id ?? '', prompt, password });
  for (;;) {
    const received = receiveMessageOnPort(inputs) as { message: InputAnswer } | undefined;
    if (received === undefined) {
      channel.waitForInput(seen);
      seen = channel.inputs;
      continue;
    }
    const { text, interrupted } = received.message;
    if (interrupted) throw new AbandonedError('interrupted while waiting for a line');
    if (text === undefined) throw new NoInputError();
    return text;
  }
}
