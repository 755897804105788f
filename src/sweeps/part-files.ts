/**
 * @file Where the parts of a sweep are, in files of its folder that every machine sees: `parts/<id>.json` says how far
 * a part is, and once what it came to; `parts/<id>.log` has its notes and losses.
 */
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readJson, readText, writeFileAtomic } from '../common/files.js';
import { hasEnded, type thisProcess } from '../common/process-identity.js';
import { compileSchema } from '../common/schema.js';
import type { Part, SweepPlan } from './plan.js';

/** What a part came to. */
export interface PartResult {
  /** Its run does not go on: others had a lower validation loss. */
  readonly dropped?: boolean;
  /** Of a training: its last checkpoint. */
  readonly checkpoint?: string;
  /** Of a training in halving: the validation loss that decides. */
  readonly valLoss?: number;
  /** Of a choice: the runs that go on. */
  readonly kept?: readonly string[];
  /** The id of the record of its run. */
  readonly record?: string;
  readonly results?: Readonly<Record<string, number>>;
}

/** How far a part is. */
export interface PartState {
  readonly status: 'running' | 'done' | 'stopped' | 'failed';
  /** How often it was begun. */
  readonly attempts: number;
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly process: ReturnType<typeof thisProcess>;
  /** How often the process that ran it died. */
  readonly killings?: number;
  readonly progress?: PartProgress;
  readonly result?: PartResult;
  /** Why it failed, in one line; whether it will not be tried again. */
  readonly error?: string;
  readonly isFinal?: boolean;
}

/** Steps or predictions that are done. */
export interface PartProgress {
  readonly finished: number;
  readonly total: number;
  readonly loss?: number;
}

const checkState = compileSchema<PartState>(
  {
    type: 'object',
    required: ['status', 'attempts', 'process'],
    properties: { status: { enum: ['running', 'done', 'stopped', 'failed'] }, attempts: { type: 'integer' } },
  },
  'the state of a part of a sweep',
);

const checkPlan = compileSchema<SweepPlan>(
  {
    type: 'object',
    required: ['format', 'outputDir', 'runs', 'parts'],
    properties: { format: { const: 1 }, runs: { type: 'array' }, parts: { type: 'array' } },
  },
  'the plan of a sweep',
);

/** The plan of a sweep in its folder. */
export const planPath = (outputDir: string): string => join(outputDir, 'plan.json');

export const partPath = (outputDir: string, id: string): string => join(outputDir, 'parts', `${id}.json`);
export const logPath = (outputDir: string, id: string): string => join(outputDir, 'parts', `${id}.log`);

export const savePlan = (plan: SweepPlan): void =>
  writeFileAtomic(planPath(plan.outputDir), `${JSON.stringify(plan, null, 1)}\n`);

/** The plan of a folder, whose place may be another one on this machine. @throws {UserError} when there is none */
export function loadPlan(outputDir: string): SweepPlan {
  const path = planPath(outputDir);
  return { ...checkPlan(readJson(path, 'the plan of a sweep'), path), outputDir };
}

/** How far a part is; undefined before it was begun. */
export function stateOf(outputDir: string, id: string): PartState | undefined {
  const path = partPath(outputDir, id);
  return existsSync(path) ? checkState(readJson(path, 'the state of a part'), path) : undefined;
}

export const saveState = (outputDir: string, id: string, state: PartState): void =>
  writeFileAtomic(partPath(outputDir, id), `${JSON.stringify(state, null, 1)}\n`);

/** What a part came to; undefined while it is not done. */
export const resultOf = (outputDir: string, id: string): PartResult | undefined => {
  const state = stateOf(outputDir, id);
  return state?.status === 'done' ? state.result : undefined;
};

/** Adds a line to the log of a part. */
export function log(outputDir: string, id: string, text: string): void {
  const path = logPath(outputDir, id);
  mkdirSync(dirname(path), { recursive: true });
  appendFileSync(path, `${new Date().toISOString()} ${text}\n`);
}

export const readLog = (outputDir: string, id: string): string =>
  existsSync(logPath(outputDir, id)) ? readText(logPath(outputDir, id)) : '';

/** Whether a part is done, or has failed and is not tried again. */
export const isSettled = (state: PartState | undefined): boolean =>
  state?.status === 'done' || hasFailed(state);

/** Whether a part has failed and is not tried again. */
export const hasFailed = (state: PartState | undefined): boolean =>
  state?.status === 'failed' && state.isFinal === true;

/** Whether everything that a part needs is there: a choice goes on without what has failed for good. */
export function isReady(outputDir: string, part: Part): boolean {
  return part.needs.every((id) => {
    const state = stateOf(outputDir, id);
    return part.kind === 'choose' ? isSettled(state) : state?.status === 'done';
  });
}

/** How far a part is, in a word. */
export type PartStatus = 'waiting' | 'running' | 'stopped' | 'killed' | 'done' | 'dropped' | 'failed';

/** The status of a part; `killed` where its process is gone, as far as this machine can see. */
export function statusOf(state: PartState | undefined): PartStatus {
  if (state === undefined) return 'waiting';
  if (state.status === 'done') return state.result?.dropped ? 'dropped' : 'done';
  return state.status === 'running' && hasEnded(state.process) ? 'killed' : state.status;
}
