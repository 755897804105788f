/**
 * @file A submission, top to bottom: check everything that can be known without the model, put a valid submission on
 * disk, plan, fine-tune on the test tasks if asked, predict in rounds and search if asked until all is done or time is
 * up, select, write.
 * This process never computes: models live in child processes that it can end (loop.ts).
 */
import { join } from 'node:path';
import { loadTasks } from '../arc/dataset.js';
import type { Task } from '../arc/types.js';
import { type Clock, systemClock } from '../common/clock.js';
import { formatDuration } from '../common/duration.js';
import { UserError } from '../common/errors.js';
import { type Hooks, type NoteEvent, notesTo } from '../common/events.js';
import { assertWritableFolder, buildFile } from '../common/files.js';
import { fingerprintOf } from '../common/fingerprint.js';
import { outputFolder, withLock } from '../common/lock.js';
import { fingerprintModel } from '../models/fingerprint.js';
import { readAdapter, readAdapterBase, readConfig, resolveModel } from '../models/index.js';
import type { PromptKind } from '../prompts/index.js';
import { recordSubmission } from '../records/flows.js';
import { nothingFits, withoutViewNote } from '../session/plan.js';
import { fitPrompt, planPredictions } from '../session/predictions.js';
import {
  answerTokensOf,
  openPrompts,
  type PromptSession,
  promptKindFor,
  prunedNote,
} from '../session/prompts.js';
import { usualSpeeds } from './costs.js';
import { estimate } from './estimate.js';
import { SubmitLedger } from './ledger.js';
import { runLoop } from './loop.js';
import { type SubmitConfig, type SubmitOptions, submitConfig } from './options.js';
import { identityOf, openPartial, PartialSubmission, type Progress, progressOf } from './partial.js';
import { type Plan, planSubmission } from './plan.js';
import { checkTaskBudget, checkTimeBudget, policyOf } from './policy.js';
import { forkChild } from './process.js';
import type { Answer, Item } from './protocol.js';
import { Requests } from './requests.js';
import { finish, type SubmitResult } from './result.js';
import { countDevices, makeSlots } from './slots.js';
import { type Action, initialState, type State } from './state.js';

export type { SubmitFailure } from './ledger.js';
export type { SubmitOptions } from './options.js';
export type { SubmitResult } from './result.js';

/** Where the fine-tuning of a submission is, for a progress bar. */
export interface FineTuneProgress {
  readonly group: number;
  readonly groups: number;
  readonly step: number;
  readonly maxSteps: number;
  readonly loss: number;
  /** Until the time budget ends; Infinity without one. */
  readonly secondsLeft: number;
}

/** Where a submission is, for a progress bar. */
export interface SubmitProgress {
  /** Predictions and searches that are done, and those that are wanted. */
  readonly done: number;
  readonly total: number;
  /** About how many of them there will be for each test input, at the speed so far. */
  readonly perInput: number;
  /** Seconds until the time budget ends; Infinity without one. */
  readonly secondsLeft: number;
  /** Seconds until all would be done, at the speed so far. */
  readonly secondsNeeded: number;
  readonly failures: number;
}

/** What happens while a submission is made. */
export type SubmitEvent =
  | NoteEvent
  | ({ readonly type: 'fine-tuning' } & FineTuneProgress)
  | ({ readonly type: 'predicting' } & SubmitProgress);

/** How a program follows a submission and stops it: it is then written with the predictions so far. */
export type SubmitHooks = Hooks<SubmitEvent>;

/** What a test may put in place of the real thing. */
export interface SubmitParts {
  clock?: Clock;
  /** The bundle that child processes run. */
  workerFile?: string;
}

/** Seconds between two events of `predicting`: as often as a person can read. */
const SHOW_EVERY = 0.2;

/**
 * Makes `submission.json` for the test challenges. From the first second on there is a valid one on disk, and it gets
 * the best predictions so far; what went wrong is in the result and in `failures.json`.
 * The same options and seed give the same file whenever no time budget ends it, with any number of processes, and also
 * when it was killed and continued.
 * @throws {UserError} for every mistake in the options or files, before anything is written or loaded
 */
export async function submit(
  options: SubmitOptions & SubmitHooks,
  parts: SubmitParts = {},
): Promise<SubmitResult> {
  const { onEvent, signal, ...given } = options;
  const onNote = notesTo(onEvent);
  const clock = parts.clock ?? systemClock;
  const began = { at: clock.now(), date: Date.now() };
  const config = submitConfig(given, onNote);
  const kind = promptKindFor(config.promptVersion, ['output-from-examples'], 'submit');
  const tasks = loadTasks(config.challengesPath);
  assertWritableFolder(config.outputDir, '`outputDir`');
  const session = await openPrompts({ ...config, adapterPath: undefined });
  const adapter = config.adapterPath === undefined ? null : await resolveModel(config.adapterPath);
  if (config.fineTunePerTask && adapter !== null) {
    // another model may take the place of one that cannot be used, but not of one that every task begins with
    readAdapter(adapter, readAdapterBase(session.folder));
  }
  checkTimeBudget(config, session.folder);
  for (const text of [...session.notes, ...(config.pruneVocab ? [] : prunedNote(adapter))]) onNote(text);

  const run = {
    config,
    tasks,
    session,
    adapter,
    kind,
    clock,
    began,
    parts,
    onEvent,
  };
  const data = () => ({
    [config.challengesPath]: fingerprintOf(tasks),
    'the model of `modelPath`': fingerprintModel(session.folder),
    ...(adapter === null ? {} : { 'the adapter of `adapterPath`': fingerprintModel(adapter) }),
  });
  return withLock(
    outputFolder(config.outputDir),
    (stopping) => recordSubmission({ given, config, data }, () => runSubmission(run, stopping)),
    signal,
  );
}

/** A submission whose options and files are as they should be. */
interface Submission {
  readonly config: SubmitConfig;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly session: PromptSession;
  /** The folder of the given adapter; null without one. */
  readonly adapter: string | null;
  readonly kind: PromptKind;
  readonly clock: Clock;
  /** By the clock, and in ms since 1970. */
  readonly began: { readonly at: number; readonly date: number };
  readonly parts: SubmitParts;
  readonly onEvent: SubmitHooks['onEvent'];
}

async function runSubmission(
  { config, tasks, session, adapter, kind, clock, began, parts, onEvent }: Submission,
  signal: AbortSignal,
): Promise<SubmitResult> {
  const onNote = notesTo(onEvent);
  const ledger = new SubmitLedger(tasks, config.outputDir, config.method);
  const save = () => {
    if (!ledger.saveSubmission()) throw new UserError(ledger.failures[0]!.message);
  };
  if (!config.resume) save();

  const slots = makeSlots(config);
  const prompts = session.builder(kind);
  const { maxSeqLen } = session;
  const answerTokens = answerTokensOf(session, config.maxNewTokens);
  let aPlainPromptFits = false;
  const plan = planSubmission(tasks, config, {
    devices: countDevices(slots),
    adapter,
    answerTokens,
    speeds: usualSpeeds,
    promptTokens(task, testIndex) {
      const prompt = fitPrompt(prompts, task, testIndex, maxSeqLen - answerTokens(task));
      aPlainPromptFits ||= prompt !== null;
      return prompt?.tokens.length ?? maxSeqLen;
    },
  });
  if (!aPlainPromptFits) {
    // under other views there may be one that does
    const { tooLong, predictions } = planPredictions(tasks, prompts, { ...config, maxSeqLen, answerTokens });
    if (tooLong === predictions.length) throw nothingFits(maxSeqLen, tooLong, config.challengesPath);
  }
  if (plan.withoutView > 0) onNote(withoutViewNote(plan.withoutView));
  checkTaskBudget(config, plan, readConfig(session.folder), slots);

  const journal = openPartial(
    ledger.files.submission,
    config.resume,
    () => identityOf(config, { tasks, modelFolder: session.folder, adapter, plan }),
    onNote,
  );
  const before = progressOf(journal.found, plan, began.date);
  const start = began.at - before.seconds;
  const seconds = () => clock.now() - start;
  const partial = new PartialSubmission(journal, config.outputDir, seconds, (message) =>
    ledger.fail({ stage: 'write', message }),
  );
  partial.start(began.date);
  for (const { item, answer } of before.answers) keep(ledger, item, answer);
  for (const failure of before.failures) ledger.fail(failure);
  if (config.resume) save();
  if (before.seconds > 0) {
    const found = `${ledger.count} of ${plan.items} answers`;
    onNote(`continuing with ${found} after ${formatDuration(before.seconds)}`);
  }

  const requests = new Requests(config, {
    ...{ groups: plan.groups, adapter, began: before.date },
    knownGrids: (item) => ledger.knownGrids(item),
  });
  const policy = policyOf(config, start, clock.now(), { tasks: tasks.size, processes: slots.length });
  if (!config.resume) requests.removeTaskAdapters();
  const secondsLeft = () => (config.timeBudget ?? Number.POSITIVE_INFINITY) - seconds();
  let lastShown = Number.NEGATIVE_INFINITY;
  try {
    const state = await runLoop({
      state: initialState(plan, slots, policy, clock.now(), {
        finished: before.finished,
        answers: before.answers,
        tuned: tunedBefore(before, config, plan, policy.tuningSeconds > 0 ? undefined : requests),
      }),
      clock,
      signal,
      stopMessage: 'the submission was stopped before it was done; `resume` continues it',
      startChild: (_, events) => forkChild(parts.workerFile ?? buildFile('submit-worker.cjs'), events),
      openRequest: (slot) => requests.open(slot),
      requestOf: (work) => requests.of(work),
      findCheckpoint: (group) => requests.newestCheckpoint(group),
      act(action, now) {
        record(ledger, partial, action);
        if (action.type === 'note') onNote(action.text);
        if (action.type === 'step') {
          const { step, maxSteps, loss } = action.reply;
          const groups = plan.groups.length;
          onEvent?.({
            type: 'fine-tuning',
            group: action.group + 1,
            groups,
            step,
            maxSteps,
            loss,
            secondsLeft: secondsLeft(),
          });
        }
        if (action.type !== 'progress' || !onEvent) return;
        if (now.done < now.total && clock.now() - lastShown < SHOW_EVERY) return;
        lastShown = clock.now();
        onEvent({
          type: 'predicting',
          ...estimate(now, plan, clock.now(), secondsLeft()),
          failures: ledger.failures.length,
        });
      },
    });
    noteTimeLeft(state, config, seconds(), onNote);
    const result = finish(ledger, config, { deadline: state.reason === 'deadline', seconds });
    if (state.reason === 'done') {
      partial.finish(Object.values(ledger.files));
      requests.removeTaskAdapters();
    }
    return result;
  } finally {
    partial.close();
  }
}

/** Keeps what happens, in memory and on disk. */
function record(ledger: SubmitLedger, partial: PartialSubmission, action: Action): void {
  switch (action.type) {
    case 'keep':
      keep(ledger, action.item, action.answer);
      partial.answer(action.item, action.answer);
      break;
    case 'tuned':
      partial.tuned(action.group, action.adapter);
      break;
    case 'fail':
      ledger.fail(action.failure);
      partial.failure(action.failure);
      break;
    case 'write':
      if (action.hasAnswers) ledger.saveSubmission();
      partial.time();
      break;
  }
}

function keep(ledger: SubmitLedger, item: Item, answer: Answer | null): void {
  if (answer !== null) {
    ledger.add(item, answer);
    return;
  }
  const { taskId, testIndex } = item;
  ledger.fail({ stage: 'predict', taskId, testIndex, message: 'the prompt is too long' });
}

/**
 * The adapters of groups that are not fine-tuned any more.
 * @param requests given when the time for that is over: then the newest checkpoints are all that there will be
 */
function tunedBefore(
  { tuned }: Progress,
  { outputDir, fineTuneSteps }: SubmitConfig,
  { groups }: Plan,
  requests?: Requests,
): ReadonlyMap<number, string | null> {
  if (fineTuneSteps === 0) return new Map();
  return new Map(
    groups.flatMap((_, group) => {
      const place = tuned.get(group);
      if (place !== undefined) return [[group, place && join(outputDir, place)]];
      return requests === undefined ? [] : [[group, requests.newestCheckpoint(group)]];
    }),
  );
}

/** Says that more predictions would have fitted. */
function noteTimeLeft(
  { reason }: State,
  { timeBudget, predictionsPerTask, searchViews, searchThreshold }: SubmitConfig,
  used: number,
  onNote: (text: string) => void,
): void {
  const isOver = reason === 'deadline' || reason === 'stopped';
  if (timeBudget === undefined || isOver || used >= timeBudget / 2) return;
  const more =
    searchViews === 0
      ? `a larger \`predictionsPerTask\` (${predictionsPerTask} now)`
      : `a lower \`searchThreshold\` (${searchThreshold} now) or more \`searchViews\` (${searchViews} now)`;
  onNote(`done in ${formatDuration(used)} of ${formatDuration(timeBudget)}: ${more} would use the rest`);
}
