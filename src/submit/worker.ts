/** @file A child process of a submission: it holds the model, and does what the parent asks (protocol.ts). */
import { Worker } from 'node:worker_threads';
import { loadTasks } from '../arc/dataset.js';
import type { Task } from '../arc/types.js';
import { withPlace } from '../common/error-place.js';
import { UserError } from '../common/errors.js';
import { testTimeFineTune } from '../experiments/test-time-fine-tune.js';
import { generate } from '../generation/engine.js';
import { workerOptions } from '../options/submit.js';
import { sessionFineTuneOnTaskOptions } from '../options/training.js';
import type { PromptBuilder } from '../prompts/index.js';
import { planPrediction, toPrediction } from '../session/predictions.js';
import { answerTokensOf, openPrompts, type PromptSession, promptKindFor } from '../session/prompts.js';
import { searchInput } from '../session/search-input.js';
import { TaskViews } from '../session/views.js';
import { notFiniteAdvice } from '../tensors/finite-advice.js';
import type { WorkerConfig } from './options.js';
import type { Handlers, Reply, Request } from './protocol.js';
import { TaskModel } from './task-model.js';

/** The part of its time that a search may take: what it finds has to be scored, with as many prompts. */
const SEARCH_PART = 0.5;

/** The requests' handlers, with a model of their own. */
export function submitHandlers(): Handlers {
  let config: WorkerConfig;
  let tasks: ReadonlyMap<string, Task>;
  let session: PromptSession;
  let prompts: PromptBuilder;
  let model: TaskModel;
  const views = new Map<string, TaskViews>();
  const viewsOf = (taskId: string): TaskViews => {
    const known = views.get(taskId) ?? new TaskViews(config.seed, taskId, tasks.get(taskId)!, config);
    views.set(taskId, known);
    return known;
  };
  return {
    async open(request) {
      config = workerOptions.check(request.config);
      tasks = loadTasks(config.challengesPath);
      session = await openPrompts(config);
      prompts = session.builder(promptKindFor(config.promptVersion, ['output-from-examples'], 'submit'));
      const tuning = request.tuning && sessionFineTuneOnTaskOptions.check(request.tuning);
      model = new TaskModel(session, prompts, tuning);
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

    load: ({ adapterPath }) => model.load(adapterPath),

    async adapt({ taskId, ...request }, reply) {
      const tuning = await model.adapt([taskId, tasks.get(taskId)!], {
        ...request,
        onStep: ({ step, loss }) => reply({ type: 'step', step, loss, maxSteps: model.maxSteps }),
        onNote: (text) => reply({ type: 'note', text }),
      });
      return { tuning };
    },

    async predict({ items, seconds }, reply) {
      const { decoder } = model;
      const maxNewTokens = config.maxNewTokens ?? session.mostGridTokens;
      const planning = {
        maxSeqLen: session.maxSeqLen,
        answerTokens: answerTokensOf(session, maxNewTokens),
      };
      for (const [index, { search, ...item }] of items.entries()) {
        if (search === undefined) continue;
        const input = { ...item, task: tasks.get(item.taskId)!, known: search.known };
        const answer = await searchInput(decoder, prompts, input, {
          ...{ ...config, ...planning, maxNewTokens },
          ...{ views: config.searchViews, threshold: config.searchThreshold },
          maxCandidates: config.searchMaxCandidates,
          seconds,
          limits: {
            seconds: Math.min(config.searchMaxSeconds ?? Number.POSITIVE_INFINITY, SEARCH_PART * seconds),
            tokens: config.searchMaxForwardTokens,
          },
          onProgress: () => reply({ type: 'alive' }),
        });
        reply({ type: 'answer', index, answer });
      }
      const planned = items.flatMap(({ search, ...item }, index) => {
        if (search !== undefined) return [];
        const task = tasks.get(item.taskId)!;
        const plan = planPrediction({ ...item, task }, viewsOf(item.taskId), prompts, planning);
        return [{ ...plan, index }];
      });
      for (const { index, tokens } of planned) {
        if (tokens === null) reply({ type: 'answer', index, answer: null });
      }
      const fitting = planned.filter(({ tokens }) => tokens !== null);
      if (fitting.length === 0) return;
      const requests = fitting.map(({ tokens, stream }) => ({
        tokens: tokens!,
        samples: 1,
        stream,
        ...(config.constrained ? { grammar: prompts.answerGrammar } : {}),
      }));
      let failure: string | undefined;
      await generate(decoder, session.tokenizer, requests, {
        ...config,
        maxNewTokens,
        maxSeqLen: session.maxSeqLen,
        onAnswer(request, _, completion) {
          const { index, ...plan } = fitting[request]!;
          if (completion.reason !== undefined) {
            failure = completion.reason;
            return;
          }
          const answer = { predictions: [toPrediction(plan, completion, prompts)] };
          reply({ type: 'answer', index, answer });
        },
        onProgress: () => reply({ type: 'alive' }),
      });
      // those without an answer are asked again, fewer at a time, and then given up
      if (failure !== undefined) throw new UserError(`${failure}; ${notFiniteAdvice(decoder.keptType)}`);
    },
  };
}

/** Seconds between two signs of life; a step may give thousands. */
const ALIVE_EVERY = 1;

/**
 * Ends this process soon after its parent has been killed, also in the middle of a step that blocks: a submission that
 * continues needs the memory of the device, and the folder of the fine-tuning.
 */
function endWithParent(): void {
  // the parent of an orphan is another one, where systems have that
  const watch = `
    const { ppid, pid } = process;
    setInterval(() => { if (process.ppid !== ppid) process.kill(pid, 'SIGKILL'); }, 250);
  `;
  const thread = new Worker(watch, { eval: true, execArgv: [], env: {} });
  // without threads the process ends between two steps
  thread.on('error', () => {});
  thread.unref();
}

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
  endWithParent();
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
