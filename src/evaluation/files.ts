import { identityAugmentation } from '../arc/augmentation.js';
import { assertRectangular, gridSchema as grid } from '../arc/validate.js';
import { readJson, writeFileAtomic } from '../common/files.js';
import { compileSchema } from '../common/schema.js';
import { isArc24List, parseArc24List } from './arc24-results.js';
import { EvaluationError } from './errors.js';
import type { Answers, Attempts, InferenceFile, Prediction } from './types.js';
import { groupPredictions, mapInputs } from './voting.js';

/** What other tools write for an answer that is no grid. */
const noGrid = [{ type: 'null' }, { type: 'array', maxItems: 0 }] as const;

const checkInference = compileSchema<InferenceFile>(
  {
    type: 'object',
    additionalProperties: {
      type: 'array',
      items: {
        type: 'object',
        propertyNames: { pattern: '^attempt_[1-9][0-9]*$' },
        additionalProperties: { anyOf: [grid, ...noGrid] },
      },
    },
  },
  'an inference file {task_id: [{"attempt_1": grid, …}]}',
);

type StoredPrediction = Omit<Prediction, 'logProb'> & { logProb: number | null };

const checkPredictions = compileSchema<StoredPrediction[]>(
  {
    type: 'array',
    items: {
      type: 'object',
      required: ['taskId', 'testIndex', 'grid', 'logProb'],
      properties: {
        taskId: { type: 'string', minLength: 1 },
        testIndex: { type: 'integer', minimum: 0, maximum: 999 },
        grid: { anyOf: [grid, ...noGrid] },
        text: { type: 'string' },
        reason: { type: 'string' },
        logProb: { type: ['number', 'null'] },
        tokens: { type: 'integer', minimum: 0 },
        scores: { type: 'array', items: { type: ['number', 'null'] } },
        ownLogProb: { type: 'number' },
      },
    },
  },
  'a list of predictions [{taskId, testIndex, grid, logProb, …}]',
);

/** What a result file holds: always the answers, and the detailed predictions where the file has them. */
export interface Results {
  readonly source: string;
  readonly answers: Answers;
  readonly predictions?: readonly Prediction[];
}

/** An empty list is no grid; a ragged one is a broken file. */
function cleanGrid(value: Prediction['grid'], source: string, where: () => string): Prediction['grid'] {
  if (value === null || value.length === 0) return null;
  assertRectangular(value, source, where);
  return value;
}

/** The attempts of one entry in the order of their numbers, whatever the order in the file. */
function attemptsOf(
  entry: Record<string, Prediction['grid']>,
  source: string,
  where: (name: string) => string,
): Attempts {
  return Object.entries(entry)
    .map(([name, value]) => ({ number: Number(name.slice('attempt_'.length)), name, value }))
    .sort((a, b) => a.number - b.number)
    .map(({ name, value }) => cleanGrid(value, source, () => where(name)));
}

/** The grids of the detailed list, by test input. */
export function answersOf(predictions: readonly Prediction[]): Answers {
  return mapInputs(groupPredictions(predictions), (list) => list.map(({ grid }) => grid));
}

/** Makes sense of the content of a result file. @throws {UserError} naming the place that is wrong. */
export function parseResults(value: unknown, source: string): Results {
  if (Array.isArray(value)) {
    const list = isArc24List(value) ? parseArc24List(value, source) : checkPredictions(value, source);
    const predictions = list.map((stored, i) => ({
      ...stored,
      grid: cleanGrid(stored.grid, source, () => `/${i}/grid`),
      // JSON has no infinity: it becomes null when it is written
      logProb: stored.logProb ?? -Infinity,
    }));
    return { source, answers: answersOf(predictions), predictions };
  }
  const inference = checkInference(value, source);
  const answers = new Map(
    Object.entries(inference).map(([taskId, inputs]) => [
      taskId,
      inputs.map((entry, i) => attemptsOf(entry, source, (name) => `/${taskId}/${i}/${name}`)),
    ]),
  );
  return { source, answers };
}

/** Predictions of a file; its attempts where it has no more, which have no log-probability. */
export function predictionsOf({ answers, predictions }: Results): readonly Prediction[] {
  if (predictions) return predictions;
  return [...answers].flatMap(([taskId, inputs]) =>
    inputs.flatMap((attempts, testIndex) =>
      attempts.map((grid) => ({
        ...{ taskId, testIndex, grid, logProb: -Infinity, tokens: 0 },
        augmentation: identityAugmentation,
      })),
    ),
  );
}

/** Reads a submission, `inference.json`, or a detailed list of ours or of arc24. @throws {UserError} when it is none of them. */
export function loadResults(path: string): Results {
  return parseResults(readJson(path, 'a result file'), path);
}

/** Predictions, answers of either kind of result file, or the file of one. */
export type ResultData = string | readonly Prediction[] | Answers | Results;

/** Results that are given, or that a file holds. @throws {UserError} as {@link loadResults} */
export function resultsOf(data: ResultData, source = 'the predictions'): Results {
  if (typeof data === 'string') return loadResults(data);
  if (data instanceof Map) return { source, answers: data };
  if ('answers' in data) return data;
  const predictions = data as readonly Prediction[];
  return { source, answers: answersOf(predictions), predictions };
}

/** Reads the detailed list of predictions. @throws {EvaluationError} for a file without log-probabilities. */
export function loadPredictions(path: string): readonly Prediction[] {
  const { predictions } = loadResults(path);
  if (predictions === undefined) {
    throw new EvaluationError(
      `${path}: expected the detailed list of predictions, found only attempts; use the ..._task_results.json beside it`,
    );
  }
  return predictions;
}

/** Answers as the content of `inference.json`. */
export function toInferenceFile(answers: Answers): InferenceFile {
  const entry = (attempts: Attempts) =>
    Object.fromEntries(attempts.map((value, i) => [`attempt_${i + 1}`, value]));
  return Object.fromEntries([...answers].map(([taskId, inputs]) => [taskId, inputs.map(entry)]));
}

/** The name of the detailed list that belongs to an inference file: `inference_task_results.json`. */
export function taskResultsPath(inferencePath: string): string {
  return `${inferencePath.replace(/\.json$/, '')}_task_results.json`;
}

/** The detailed list as text, one prediction a line. */
export function predictionLines(predictions: readonly Prediction[]): string {
  const lines = predictions.map((prediction) => JSON.stringify(prediction));
  return `[\n${lines.join(',\n')}\n]\n`;
}

/** Writes `inference.json` and, beside it, the detailed list, one prediction a line. */
export function saveResults(path: string, predictions: readonly Prediction[]): void {
  writeFileAtomic(taskResultsPath(path), predictionLines(predictions));
  saveAnswers(path, answersOf(predictions));
}

/** Writes answers in the format of `inference.json`. */
export function saveAnswers(path: string, answers: Answers): void {
  writeFileAtomic(path, `${JSON.stringify(toInferenceFile(answers))}\n`);
}
