/** The thread that makes training samples: loads the data once, then answers requests for ranges of items. */
import { parentPort, workerData } from 'node:worker_threads';
import { withPlace } from '../common/error-place.js';
import { UserError } from '../common/errors.js';
import type { SampleSource } from './sample-source.js';
import type { SampleReply, SampleRequest } from './sample-stream.js';
import { openSampleSource, type TrainingDataSpec } from './training-data.js';

let source: SampleSource | undefined;

parentPort?.on('message', ({ first, count }: SampleRequest) => {
  let reply: SampleReply;
  try {
    source ??= openSampleSource(workerData as TrainingDataSpec);
    reply = { first, items: Array.from({ length: count }, (_, i) => source!.item(first + i)) };
  } catch (error) {
    reply = { error: withPlace(error), isUserError: error instanceof UserError };
  }
  parentPort!.postMessage(reply);
});
