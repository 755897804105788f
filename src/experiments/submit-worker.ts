/** A child process of a submission: it holds the model, and does what the parent asks (see submit-protocol.ts). */
import { loadTasks } from '../arc/dataset.js';
import type { Task } from '../arc/types.js';
import { withPlace } from '../common/error-place.js';
import { generate } from '../generation/engine.js';
import type { Decoder } from '../models/index.js';
import type { PromptBuilder } from '../prompts/index.js';
import { largestGrid, openPrompts, type PromptSession, promptKindFor } from './model-session.js';
import { planPrediction, toPrediction } from './predictions.js';
import type { Handlers, Reply, Request, WorkerConfig } from './submit-protocol.js';
import { testTimeFineTune } from './test-time-fine-tune.js';

/** The requests' handlers, with a model of their own. */
export function submitHandlers(): Handlers {
  let config: WorkerConfig;
  let tasks: ReadonlyMap<string, Task>;
  let session: PromptSession;
  let prompts: PromptBuilder;
  let decoder: Decoder | undefined;
  return {
    async open(request) {
      config = request.config;
      tasks = loadTasks(config.challengesPath);
      session = await openPrompts(config);
      prompts = session.builder(promptKindFor(config.promptVersion, ['output-from-examples'], 'submit'));
    },

    async 'fine-tune'({ options, seconds }, reply) {
      const end = performance.now() / 1000 + seconds;
      let maxSteps = options.maxSteps;
      const { checkpoint } = await testTimeFineTune({
        ...options,
        device: config.device,
        secondsLeft: () => end - performance.now() / 1000,
        onEvent(event) {
          if (event.type === 'start') maxSteps = event.maxSteps;
          if (event.type === 'note') reply(event);
          else if (event.type === 'step')
            reply({ type: 'step', step: event.report.step, maxSteps, loss: event.report.loss });
          else reply({ type: 'alive' });
        },
      });
      return { checkpoint };
    },

    async load({ adapterPath }) {
      decoder?.dispose();
      decoder = undefined;
      // an adapter's folder is found anew: the session's own has none
      const { loadDecoder } = adapterPath === null ? session : await openPrompts({ ...config, adapterPath });
      decoder = await loadDecoder();
    },

    async predict({ items }, reply) {
      const maxNewTokens = config.maxOutputTokens ?? session.mostGridTokens;
      const planned = items.map((item, index) => ({
        index,
        ...planPrediction({ ...item, task: tasks.get(item.taskId)! }, prompts, {
          ...config,
          maxSeqLen: session.maxSeqLen,
          answerTokens: (task) => Math.min(maxNewTokens, session.gridTokens(largestGrid(task))),
        }),
      }));
      for (const { index, tokens } of planned) {
        if (tokens === null) reply({ type: 'prediction', index, prediction: null });
      }
      const fitting = planned.filter(({ tokens }) => tokens !== null);
      const requests = fitting.map(({ tokens, stream }) => ({
        tokens: tokens!,
        samples: 1,
        stream,
        ...(config.constrained ? { grammar: prompts.answerGrammar } : {}),
      }));
      await generate(decoder!, session.tokenizer, requests, {
        ...config,
        maxNewTokens,
        maxSeqLen: session.maxSeqLen,
        onAnswer(request, _, completion) {
          const { index, ...plan } = fitting[request]!;
          reply({ type: 'prediction', index, prediction: toPrediction(plan, completion, prompts) });
        },
        onProgress: () => reply({ type: 'alive' }),
      });
    },
  };
}

/** Seconds between two signs of life; a step may give thousands. */
const ALIVE_EVERY = 1;

/** Serves the parent of this process until it ends or lets go. */
export function serveSubmit(handlers: Handlers = submitHandlers()): void {
  let lastReply = 0;
  const reply = (message: Reply): void => {
    const now = performance.now() / 1000;
    if (message.type === 'alive' && now - lastReply < ALIVE_EVERY) return;
    lastReply = now;
    process.send?.(message);
  };
  // Ctrl-C reaches every process of the terminal: the parent decides what it means
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', async (request: Request) => {
    try {
      // each handler takes the requests of its own type
      const result = await handlers[request.type](request as never, reply);
      reply({ type: 'done', ...result });
    } catch (error) {
      reply({ type: 'failed', message: withPlace(error) });
    }
  });
}

if (process.send !== undefined && process.argv[1]?.endsWith('submit-worker.cjs')) serveSubmit();
