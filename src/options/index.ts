/** The options of every flow, by the name of its command. */
import { auditOptions } from './audit.js';
import {
  compareOptions,
  evaluateOptions,
  joinOptions,
  pairedStudyOptions,
  studyOptions,
} from './evaluation.js';
import { experimentsOptions, leaderboardOptions } from './experiments.js';
import {
  generateCodeOptions,
  generateInputsOptions,
  inferEvaluateSeedsOptions,
  inferOptions,
  openModelOptions,
  scoreOptions,
  sessionGenerateInputsOptions,
  sessionInferOptions,
  sessionScoreOptions,
  temperatureStudyOptions,
} from './inference.js';
import {
  doctorOptions,
  initModelOptions,
  mergeLoraOptions,
  moveAdapterOptions,
  pruneModelOptions,
  startSeedsOptions,
  voteOptions,
} from './other.js';
import { searchOptions, sessionSearchOptions } from './search.js';
import { submitOptions } from './submit.js';
import { sweepOptions, sweepStatusOptions, sweepWorkerOptions } from './sweep.js';
import { generateTasksToFileOptions, importOptions } from './tasks.js';
import {
  fineTuneOptions,
  sessionFineTuneOnTaskOptions,
  sessionFineTuneOptions,
  testTimeFineTuneOptions,
} from './training.js';

export const flows = {
  'fine-tune': fineTuneOptions,
  'test-time-fine-tune': testTimeFineTuneOptions,
  audit: auditOptions,
  infer: inferOptions,
  search: searchOptions,
  'infer-evaluate': inferEvaluateSeedsOptions,
  'generate-inputs': generateInputsOptions,
  'generate-code': generateCodeOptions,
  score: scoreOptions,
  submit: submitOptions,
  evaluate: evaluateOptions,
  vote: voteOptions,
  join: joinOptions,
  compare: compareOptions,
  'study paired': pairedStudyOptions,
  experiments: experimentsOptions,
  leaderboard: leaderboardOptions,
  sweep: sweepOptions,
  'sweep status': sweepStatusOptions,
  worker: sweepWorkerOptions,
  'merge-lora': mergeLoraOptions,
  'prune-model': pruneModelOptions,
  'move-adapter': moveAdapterOptions,
  doctor: doctorOptions,
  'init-model': initModelOptions,
  'generate-tasks': generateTasksToFileOptions,
  import: importOptions,
  start: startSeedsOptions,
} as const;

/** The options of flows that have no command, by the name of their function. */
export const libraryFlows = {
  studyPredictions: studyOptions,
  temperatureStudy: temperatureStudyOptions,
  openModel: openModelOptions,
  'session.infer': sessionInferOptions,
  'session.search': sessionSearchOptions,
  'session.score': sessionScoreOptions,
  'session.generateInputs': sessionGenerateInputsOptions,
  'session.fineTune': sessionFineTuneOptions,
  'session.fineTuneOnTask': sessionFineTuneOnTaskOptions,
} as const;
