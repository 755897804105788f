/** The detailed list of another program, arc24's inference, as predictions of ours. */
import { gridSchema as grid } from '../arc/validate.js';
import { compileSchema } from '../common/schema.js';
import type { Prediction } from './types.js';

/** One answer: its grid is in the task's own orientation and colours already. */
interface Arc24Result {
  task_id: string;
  /** Which test input. */
  idx: number;
  /** Empty when the answer was no grid. */
  grid: number[][] | null;
  data_augmentation_kwargs?: {
    /** Mirror left and right, then quarter turns counterclockwise, then colours. */
    hflip?: boolean;
    n_rot90?: number;
    color_map?: Record<string, number> | null;
  } | null;
  response?: string;
  cumulative_logprob?: number | null;
  n_tokens?: number;
}

const color = { type: 'integer', minimum: 0, maximum: 9 } as const;

const check = compileSchema<Arc24Result[]>(
  {
    type: 'array',
    items: {
      type: 'object',
      required: ['task_id', 'idx', 'grid'],
      properties: {
        task_id: { type: 'string', minLength: 1 },
        idx: { type: 'integer', minimum: 0, maximum: 999 },
        grid: { anyOf: [grid, { type: 'null' }, { type: 'array', maxItems: 0 }] },
        data_augmentation_kwargs: {
          type: ['object', 'null'],
          properties: {
            hflip: { type: 'boolean' },
            n_rot90: { type: 'integer', minimum: 0, maximum: 3 },
            color_map: { type: ['object', 'null'], additionalProperties: color },
          },
        },
        response: { type: 'string' },
        cumulative_logprob: { type: ['number', 'null'] },
        n_tokens: { type: 'integer', minimum: 0 },
      },
    },
  },
  "arc24's list of predictions [{task_id, idx, grid, cumulative_logprob, …}]",
);

/** Whether the content of a file looks like arc24's list. */
export function isArc24List(value: readonly unknown[]): boolean {
  const [first] = value;
  return typeof first === 'object' && first !== null && 'task_id' in first;
}

/** Reads arc24's list. @throws {UserError} naming the place that is wrong */
export function parseArc24List(value: unknown, source: string): Prediction[] {
  return check(value, source).map((result) => {
    const {
      hflip = false,
      n_rot90: rotations = 0,
      color_map: colors,
    } = result.data_augmentation_kwargs ?? {};
    return {
      taskId: result.task_id,
      testIndex: result.idx,
      grid: result.grid,
      text: result.response ?? '',
      logProb: result.cumulative_logprob ?? -Infinity,
      tokens: result.n_tokens ?? 0,
      augmentation: {
        flip: hflip,
        rotations,
        colorMap: Array.from({ length: 10 }, (_, i) => colors?.[i] ?? i),
      },
    };
  });
}
