import { UserError } from '../../../common/errors.js';
import type { FloatType } from '../../precision.js';
import type { WebGpuBackend } from '../backend.js';
import { type Program, programFor } from '../program.js';
import { pairOf } from '../widen.js';
import common from './attention.wgsl';

/** Rows and keys of a workgroup, the largest first. */
const TILES = [
  [16, 32],
  [16, 16],
  [8, 16],
  [8, 8],
  [4, 8],
  [2, 4],
] as const;

/** WGSL's number for no window: larger than any position. */
export const NO_WINDOW = 2 ** 30;

/** What a kernel of attention is compiled for. */
export interface AttentionTile {
  /** Width of a head. */
  readonly dim: number;
  /** Rows, which are queries of one head, and keys of a workgroup. */
  readonly rows: number;
  readonly keys: number;
}

/** Floats of workgroup memory for tiles of rows and keys, of which a kernel has `copies`. */
const room = (rows: number, keys: number, dim: number, copies: number): number =>
  copies * ((rows + keys) * (dim + 1) + rows * keys);

/**
 * The largest tile that fits.
 * @param copies of its rows and keys that a kernel has in workgroup memory
 * @throws {UserError} when heads are too wide for the adapter
 */
export function attentionTile(backend: WebGpuBackend, dim: number, copies: number): AttentionTile {
  const floats = backend.device.limits.maxComputeWorkgroupStorageSize / 4;
  const fits = TILES.find(([rows, keys]) => room(rows, keys, dim, copies) <= floats);
  if (fits) return { dim, rows: fits[0], keys: fits[1] };
  const [rows, keys] = TILES.at(-1)!;
  const most = Math.floor((floats / copies - rows * keys) / (rows + keys)) - 1;
  throw new UserError(
    `webgpu: attention with heads of ${dim} numbers takes ${4 * room(rows, keys, dim, copies)} bytes of workgroup memory, and ${backend.deviceName} has ${4 * floats}: heads of up to ${most} are possible; use another \`device\` or \`backend\``,
  );
}

/**
 * The text of bindings 2 and 3, keys and values that are kept in a type, and of functions that put PER of their numbers
 * into the tile that `attention-forward.wgsl` has. Those of two bytes have to be of an even width.
 */
export function keysIn(type: FloatType): string {
  const word = type === 'float32' ? 'f32' : 'u32';
  const put = (name: string, buffer: string) =>
    type === 'float32'
      ? `fn put${name}(at: u32, i: u32) { tile[at] = ${buffer}[i]; }`
      : `fn put${name}(at: u32, i: u32) {
  let pair = pairOf(${buffer}[i / 2u]);
  tile[at] = pair.x;
  tile[at + 1u] = pair.y;
}`;
  return `${type === 'float32' ? 'const PER = 1u;' : `const PER = 2u;\n${pairOf(type)}`}
@group(0) @binding(2) var<storage, read> k: array<${word}>;
@group(0) @binding(3) var<storage, read> v: array<${word}>;
${put('Key', 'k')}
${put('Value', 'v')}
`;
}

/** The programs of a kernel of attention, by tile and one number more that its text is made with. */
export function attentionPrograms(
  name: string,
  buffers: string,
  code: (more: number) => string,
  options: Pick<Program, 'entry' | 'takesNarrow'> = {},
): (tile: AttentionTile, more?: number) => Program {
  const programs = programFor((key: string): Program => {
    const [dim, rows, keys, more] = key.split(' ').map(Number) as [number, number, number, number];
    const constants = `const DIM = ${dim}u; const ROWS = ${rows}u; const KEYS = ${keys}u;`;
    return { name, code: `${constants}\n${common}\n${code(more)}`, buffers, ...options };
  });
  return ({ dim, rows, keys }, more = 0) => programs(`${dim} ${rows} ${keys} ${more}`);
}

/** Checks that heads can be shared out. */
export function checkHeads(heads: number, keyHeads: number): void {
  if (heads % keyHeads === 0) return;
  throw new Error(`attention: ${heads} heads of queries cannot share ${keyHeads} of keys`);
}
