import * as tf from '../../tf.js';
import type { WebGpuBackend } from '../backend.js';
import { type Program, programFor } from '../program.js';

/** Groups of tensors of one kernel at most, as many as there are components of `ends`. */
const MOST_GROUPS = 4;

/** What is done to the elements of several lists of tensors, in place. */
export interface ListProgram {
  readonly name: string;
  /** A name for the tensors of each list, and whether they are only read (`r`) or also written (`w`). */
  readonly lists: Readonly<Record<string, 'r' | 'w'>>;
  /** Names of the numbers of `params`, float32. */
  readonly params: readonly string[];
  /** WGSL for element `i` of one group; `#` stands for the number of the group. */
  readonly body: string;
}

/**
 * A kernel that goes over as many groups of tensors as a device binds: what is done to each variable of a model would
 * otherwise take a kernel for each.
 * @returns runs it on a list that has a tensor of each list in turn; those of a group have the same size, and what is
 * written is in the list once. Gives a tensor of no elements.
 */
export function overLists({ name, lists, params, body }: ListProgram) {
  const names = Object.entries(lists);
  const makeProgram = programFor((groups: number): Program => {
    const numbers = Array.from({ length: groups }, (_, i) => i);
    const bindings = numbers.flatMap((group) =>
      names.map(
        ([list, access], i) =>
          `@group(0) @binding(${group * names.length + i + 1}) ` +
          `var<storage, ${access === 'w' ? 'read_write' : 'read'}> ${list}${group}: array<f32>;`,
      ),
    );
    const functions = numbers.map(
      (group) => `fn group${group}(i: u32) { ${body.replaceAll('#', `${group}`)} }`,
    );
    const cases = numbers.map((group) => {
      const begin = group === 0 ? '0u' : `params.ends[${group - 1}]`;
      return `if (i < params.ends[${group}]) { group${group}(i - ${begin}); return; }`;
    });
    const fields = params.map((param) => `${param}: f32,`);
    return {
      name: `${name} of ${groups}`,
      code: [
        `struct Params { size: u32, ends: vec4u, ${fields.join(' ')} }`,
        '@group(0) @binding(0) var<uniform> params: Params;',
        ...bindings,
        ...functions,
        `fn each(i: u32) { ${cases.join('\n')} }`,
      ].join('\n'),
      buffers: names
        .map(([, access]) => access)
        .join('')
        .repeat(groups),
      over: 'elements',
    };
  });
  return (backend: WebGpuBackend, tensors: readonly tf.TensorInfo[], numbers: readonly number[]) => {
    const bound = backend.device.limits.maxStorageBuffersPerShaderStage;
    const groups = Math.min(MOST_GROUPS, Math.floor(bound / names.length));
    const width = groups * names.length;
    for (let at = 0; at < tensors.length; at += width) {
      const some = tensors.slice(at, at + width);
      const ends = [0, 0, 0, 0];
      let size = 0;
      for (let i = 0; i < some.length; i += names.length) {
        size += tf.util.sizeFromShape(some[i]!.shape);
        ends[i / names.length] = size;
      }
      // `ends` begins at a multiple of 16 bytes
      backend.run(makeProgram(some.length / names.length), some, [size, 0, 0, 0, ...ends], numbers);
    }
    return backend.makeOutput([0]);
  };
}
