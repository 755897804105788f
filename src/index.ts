/**
 * arclab's public API: what a notebook or a program imports from 'arclab'. The flows of an experiment come
 * first; below them are the parts that they are made of, for looking and for trying something else.
 *
 * @example
 * import { evaluate, fineTune, infer } from 'arclab';
 * const { checkpoint } = await fineTune({ modelPath: 'models/base', trainDatasets: [['train.json',
 * 'output-from-examples-v1']], outputDir: 'models/01', maxSteps: 1000 }); await infer({ modelPath: 'models/base',
 * adapterPath: checkpoint, datasetPath: 'val.json', outputPath: 'inference.json', predictionsPerTask: 8 });
 * console.log(evaluate({ inferencePath: 'inference.json', datasetPath: 'val.json' }));
 */

// Flows: notebooks, write-ups, Kaggle
export { type RunEvent, type RunOptions, type RunResult, runNotebook } from '../kernel/runner/index.js';
// Tasks and grids
export {
  type Augmentation,
  type AugmentationOptions,
  augmentGrid,
  augmentTask,
  drawAugmentation,
  swapTrainAndTest,
  undoAugmentation,
  undoTaskAugmentation,
} from './arc/augmentation.js';
export {
  listTasks,
  loadDataset,
  loadTasks,
  type NamedTask,
  nMinusOne,
  requireSolutions,
  saveDataset,
  type TaskData,
} from './arc/dataset.js';
export { type GenerateTasksOptions, generateTask, generateTasks } from './arc/generate.js';
export { type GenerateTasksToFileOptions, generateTasksToFile } from './arc/generate-to-file.js';
export type { TaskGenerator } from './arc/generators/define.js';
export { generatorFamilies, generators } from './arc/generators/index.js';
export { defaultKnobs, type Knobs } from './arc/generators/knobs.js';
export {
  colorCount,
  connectedComponents,
  cropGrid,
  filledGrid,
  flipLeftRight,
  flipUpsideDown,
  gridKey,
  gridShape,
  gridsEqual,
  mapGrid,
  padGrid,
  pasteGrid,
  recolorGrid,
  rotateGrid,
  transposeGrid,
  upscaleGrid,
} from './arc/grid.js';
export {
  applyTaskAugmentation,
  defaultTaskAugmentationWeights,
  drawTaskAugmentation,
  type TaskAugmentation,
  type TaskAugmentationWeights,
} from './arc/task-augmentation.js';
export type { Dataset, Grid, Sample, Task, TestSample } from './arc/types.js';
export { StoppedError, UserError } from './common/errors.js';
// What flows tell, and what every error of a person's own making is
export type { Hooks, NoteEvent, ProgressEvent, StageEvent } from './common/events.js';
export { OptionError } from './common/option-names.js';
export { Rng } from './common/rng.js';
// To look at: grids, tasks, predictions, plots, tables, prompts, reports
export {
  Displayable,
  htmlDisplay,
  type MimeBundle,
  showGenerated,
  showGrid,
  showMarkdown,
  showPredictions,
  showTable,
  showTask,
  showTaskCards,
  showTasks,
  svgDisplay,
} from './display/displayable.js';
export { type GridOptions, gridSvg } from './display/grid-svg.js';
export { ARC_PALETTE } from './display/palette.js';
export {
  type Bar,
  type BarPlotOptions,
  barPlot,
  type LossPoint,
  lossPlot,
  type PlotOptions,
  type PlotSpec,
  predictionCountPlot,
  validationLossPlot,
} from './display/plots.js';
export { showPrompt } from './display/prompt-view.js';
export { renderPlot, showPlot } from './display/render-plot.js';
export {
  type Report,
  type ReportBlock,
  type ReportSection,
  renderReport,
  saveReport,
} from './display/report.js';
export { type TaskCard, type TaskCardOptions, taskCards } from './display/report-gallery.js';
export { selectionPlot, selectionReport, selectionSection, selectionTable } from './display/selection.js';
export {
  type HtmlTableOptions,
  htmlTable,
  type TableOptions,
  type TableRow,
  textTable,
} from './display/tables.js';
export { gridsSvg, type PredictedInput, predictionsSvg, taskSvg } from './display/task-svg.js';
export { gridText } from './display/terminal.js';
// Results: metrics, votes, studies, submissions
export { type Comparison, compareResults, describeComparison } from './evaluation/compare.js';
export { type CompareOptions, compareFiles } from './evaluation/compare-files.js';
export {
  type Contribution,
  contributions,
  type Part,
  type PooledContribution,
  pooledContributions,
} from './evaluation/contributions.js';
export {
  answersOf,
  loadPredictions,
  loadResults,
  predictionsOf,
  type ResultData,
  type Results,
  resultsOf,
  saveResults,
  taskResultsPath,
} from './evaluation/files.js';
export { type GridScore, scoreGrid } from './evaluation/grids.js';
export {
  formatDifference,
  type PairedDifference,
  type PairedDifferenceOptions,
  pairedDifference,
  type TaskValues,
} from './evaluation/intervals.js';
export {
  computeMetrics,
  type Evaluation,
  formatMetrics,
  formatPercent,
  METRIC_NAMES,
  type MetricName,
  type Metrics,
  solvedPerTask,
} from './evaluation/metrics.js';
export {
  changesFromFirst,
  PAIRED_METRICS,
  type PairedMetric,
  type PairedMetricsOptions,
  pairedMetrics,
  pairedRows,
  type TaskMetrics,
  taskMetrics,
} from './evaluation/paired.js';
export {
  rules as selectionRules,
  SELECTION_RULES,
  type SelectionRule,
  type SelectionRuleName,
} from './evaluation/selection.js';
export {
  type RuleRow,
  type SelectionStudy,
  type SelectionStudyOptions,
  studySelection,
} from './evaluation/selection-study.js';
export { formatSpread, overSeeds, type Spread, spreadOf } from './evaluation/spread.js';
export {
  type AttemptRow,
  accuracyPerAttempt,
  type ComparisonRow,
  comparisonTable,
  effectOfOutputSize,
  effectOfPredictionCount,
  type OutputSizeRow,
  type PredictionCountRow,
} from './evaluation/studies.js';
export { buildSubmission, saveSubmission, validateSubmission } from './evaluation/submission.js';
export type {
  Answers,
  Attempts,
  InferenceFile,
  Prediction,
  Submission,
  TaskSet,
} from './evaluation/types.js';
export { type VoteOptions, vote, voteMetrics } from './evaluation/voting.js';
// Flows: training and inference
export {
  type FineTuneEvent,
  type FineTuneHooks,
  type FineTuneOptions,
  type FineTuneResult,
  fineTune,
  type SharedFineTuneHooks,
} from './experiments/fine-tune.js';
export {
  type GenerateCodeOptions,
  type GenerateCodeResult,
  type GeneratedCode,
  generateCode,
} from './experiments/generate-code.js';
export {
  type GeneratedGrid,
  type GenerateInputsOptions,
  type GenerateInputsResult,
  generateInputs,
} from './experiments/generate-inputs.js';
export {
  type DecodingOptions,
  type GenerationEvent,
  type GenerationHooks,
  type InferOptions,
  type InferResult,
  infer,
} from './experiments/infer.js';
export {
  type InferEvaluateOptions,
  type InferEvaluateResult,
  inferEvaluate,
} from './experiments/infer-evaluate.js';
export {
  type KindScore,
  type ScoredAnswer,
  type ScoreEvent,
  type ScoreHooks,
  type ScoreOptions,
  type ScoreResult,
  score,
} from './experiments/score.js';
export {
  type SearchEvent,
  type SearchFlowOptions,
  type SearchHooks,
  type SearchResult,
  type SearchState,
  search,
} from './experiments/search.js';
export {
  baseModelFolder,
  hardGenerators,
  hardKnobs,
  type StartEvent,
  type StartHooks,
  type StartOptions,
  type StartResult,
  start,
  startGenerators,
  startKnobs,
} from './experiments/start.js';
export { type TestTimeFineTuneOptions, testTimeFineTune } from './experiments/test-time-fine-tune.js';
export type { SamplingOptions } from './generation/choice.js';
export {
  type Completion,
  type GenerateOptions,
  type GenerationProgress,
  type GenerationRequest,
  generate,
} from './generation/engine.js';
export {
  type AnswerScore,
  type ScoringOptions,
  type ScoringProgress,
  type ScoringRequest,
  scoreAnswers,
} from './generation/scoring.js';
export { searchAnswers } from './generation/search/search.js';
export type {
  FoundAnswers,
  SearchLimits,
  SearchOptions,
  SearchProgress,
  SearchRequest,
} from './generation/search/types.js';
export { type BuiltNotebook, buildNotebook, writeNotebook } from './kaggle/build.js';
export { loadConfig as loadKaggleConfig } from './kaggle/config.js';
export type { KaggleConfig } from './kaggle/types.js';
export { addAdapter } from './models/adapter.js';
export type { AdapterState } from './models/adapter-state.js';
export type { DecoderConfig } from './models/config.js';
export { Decoder } from './models/decoder.js';
export { type ResolveOptions, resolveModel } from './models/hub.js';
export { type InitModelOptions, initModel } from './models/init-model.js';
export { KvCache } from './models/kv-cache.js';
export { type LoadOptions, loadDecoder, readConfig } from './models/load.js';
export type { LoraInit, LoraOptions } from './models/lora.js';
export { type MergeLoraOptions, mergeLora } from './models/merge-lora.js';
export { type MoveAdapterOptions, type MoveAdapterResult, moveAdapter } from './models/move-adapter.js';
export { type PackedTokens, packSequences } from './models/packed-tokens.js';
export { type HostTensor, readSafetensors, writeSafetensors } from './models/safetensors.js';
export { saveAdapter, saveModel } from './models/save.js';
export type { DatasetPair } from './options/table.js';
export { type FlowEvent, type ProgressOptions, showProgress } from './progress/index.js';
// Prompts
export type { TokenSpan } from './prompts/answer-spans.js';
export { type EncoderCost, encoderCosts } from './prompts/encoder-costs.js';
export type { TextGrammar } from './prompts/grammar.js';
export { type GridEncoder, gridEncoderNames, parseGridEncoder } from './prompts/grid-encoder.js';
export { loadTokenizer } from './prompts/load-tokenizer.js';
export {
  type InferencePrompt,
  PromptBuilder,
  type PromptPart,
  type TrainingPrompt,
  type WantedAnswers,
} from './prompts/prompt-builder.js';
export {
  type ChatMessage,
  definePromptKind,
  getPromptKind,
  type PromptGrids,
  type PromptKind,
  type PromptTask,
  promptKinds,
  type TemplateKind,
} from './prompts/prompt-kinds.js';
export { promptVocabulary } from './prompts/prompt-vocabulary.js';
export type { ChatTokenizer } from './prompts/tokenizer.js';
export { trainTokenizer, writeTokenizer } from './prompts/train-tokenizer.js';
// Runs that were recorded
export { type FoundRun, findRuns, historyOf } from './records/find.js';
export type { RunRecord, RunStatus } from './records/record.js';
export { type RunValues, runValue, selectRuns, valuesOf } from './records/values.js';
export { parseWhere, type RunValue } from './records/where.js';
// A model that is held open
export {
  type CandidateScores,
  type CandidateSet,
  scoreUnderViews,
  type ViewOptions,
} from './session/candidate-scores.js';
export {
  ModelSession,
  type OpenModelOptions,
  openModel,
  type SessionFineTuneOnTaskOptions,
  type SessionFineTuneOptions,
  type SessionGenerateInputsOptions,
  type SessionHooks,
  type SessionInferOptions,
  type SessionScoreOptions,
  type SessionSearchOptions,
} from './session/index.js';
export type { ModelOptions } from './session/prompts.js';
export type { Sharing } from './session/sharing.js';
export type { TaskTuning, TaskTuningHooks } from './session/task-tuning.js';
// Flows: results of one and of several runs
export {
  type AuditEvent,
  type AuditResult,
  type AuditTrainingOptions,
  auditTraining,
} from './studies/audit.js';
export {
  compareExperiments,
  comparisonRows,
  type ExperimentComparison,
  metricOf,
  type PairedRuns,
} from './studies/compare-experiments.js';
export {
  compareEvaluations,
  type EvaluateOptions,
  type EvaluateResult,
  evaluate,
  type Study,
  type StudyOptions,
  studyPredictions,
} from './studies/evaluate.js';
export {
  type ExperimentsOptions,
  type ExperimentsResult,
  experiments,
} from './studies/experiments.js';
export { experimentsPage } from './studies/experiments-page.js';
export {
  type JoinResultsOptions,
  type JoinResultsResult,
  joinPredictions,
  joinResults,
} from './studies/join.js';
export {
  checkLeaderboards,
  type LeaderboardCheck,
  type LeaderboardOptions,
  type LeaderboardRow,
  leaderboard,
} from './studies/leaderboard.js';
export { type PairedStudy, type PairedStudyOptions, pairedStudy } from './studies/paired-study.js';
export {
  type InferEvaluateSeedsOptions,
  type InferEvaluateSeedsResult,
  inferEvaluateSeeds,
  type StartSeedsOptions,
  type StartSeedsResult,
  startSeeds,
} from './studies/seeds.js';
export { type SelectOptions, select } from './studies/select.js';
export {
  type TemperatureRow,
  type TemperatureStudyOptions,
  temperatureStudy,
} from './studies/temperature-study.js';
export { type VoteOnPredictionsOptions, type VoteResult, voteOnPredictions } from './studies/vote.js';
// Flows: submissions
export { checkSubmission, type SubmissionCheck } from './submit/check.js';
export {
  type SubmitEvent,
  type SubmitFailure,
  type SubmitHooks,
  type SubmitOptions,
  type SubmitParts,
  type SubmitProgress,
  type SubmitResult,
  submit,
} from './submit/submit.js';
// Many runs of one description
export type { SweepDescription } from './sweeps/description.js';
export type { SweepEvent } from './sweeps/executor.js';
export { type SweepWorkerOptions, type SweepWorkerResult, sweepWorker } from './sweeps/queue/worker.js';
export { type SweepRunStatus, sweepCounts, sweepRows } from './sweeps/status.js';
export {
  type SweepHooks,
  type SweepOptions,
  type SweepResult,
  type SweepStatusOptions,
  sweep,
  sweepStatus,
} from './sweeps/sweep.js';
// A model by hand: tensors (`tf` is tfjs-core with our backends), weights, generation, training
export { addBackend, type BackendEntry, initBackend, knownBackends } from './tensors/backend.js';
export * as tf from './tensors/tf.js';
// The machine, data sets of others, smaller models
export { doctor, type Finding } from './tools/doctor.js';
export {
  type ImportTasksOptions,
  type ImportTasksResult,
  importTasks,
} from './tools/import-tasks.js';
export { type PruneModelOptions, type PruneModelResult, pruneModel } from './tools/prune-model.js';
export type { PairAudit, StreamAudit, TaskAudit } from './training/audit.js';
export type { AuditFinding, FindingKind } from './training/audit-findings.js';
export { auditChangeRows, auditRows, auditTaskRows } from './training/audit-rows.js';
export { listCheckpoints, readCheckpoint, type TrainerState } from './training/checkpoints.js';
export { joinRanks } from './training/join-ranks.js';
export type { TrainingHistory, TrainPoint, ValidationPoint } from './training/metrics-log.js';
export { type FineTuneConfig, fineTuneConfig } from './training/options.js';
export type { RunOutcome } from './training/run.js';
export { learningRateSchedule, type ScheduleName, type ScheduleOptions } from './training/schedules.js';
export type { TrainingRanks } from './training/team.js';
export type { DataPair } from './training/training-data.js';
export { type Change, type CheckOptions, type CheckResult, compareRuns } from './writeup/check.js';
export { type ExportResult, exportWriteup } from './writeup/export.js';
export { type ImportOptions, type ImportResult, importWriteup } from './writeup/import.js';
export { type NewWriteup, newWriteup } from './writeup/new.js';
export { sh } from './writeup/sh.js';
