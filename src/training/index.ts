/** What a program that follows or continues a training run needs; the run itself is `fineTune`. */
export { listCheckpoints, readCheckpoint, type TrainerState } from './checkpoints.js';
export * from './errors.js';
export type { TrainingHistory, TrainPoint, ValidationPoint } from './metrics-log.js';
export { type FineTuneConfig, fineTuneConfig, fineTuneDefaults } from './options.js';
export type { LossOn } from './packing.js';
export { trainingProgress } from './progress.js';
export { learningRateSchedule, type ScheduleName, type ScheduleOptions, scheduleNames } from './schedules.js';
export { EventFileWriter } from './tensorboard.js';
export type { DatasetPair } from './training-data.js';
