import type { DeviceBuffer } from './buffers.js';
import type { Commands } from './commands.js';
import prelude from './prelude.wgsl';

/**
 * A kernel in WGSL. Binding 0 is a struct of parameters, integers before floating-point numbers; the buffers follow in
 * the order in which they are given.
 */
export interface Program {
  readonly name: string;
  /** The text after `prelude.wgsl`. */
  readonly code: string;
  /** A letter for each binding: `r` is only read, `w` is also written, `-` is of another entry of the same text. */
  readonly buffers: string;
  /**
   * What it goes over: elements, `params.size` of them, with an invocation for each that calls `each(element)`; or rows,
   * `params.rows` of them, with a workgroup for each whose lanes call `each(row, lane)`. Their number is the first of
   * its parameters. A program without it has its own entry.
   */
  readonly over?: 'elements' | 'rows';
  /** Its function where that is not `each`, or `main` in a program with its own entry. */
  readonly entry?: string;
  /** Whether it reads tensors in the type that they are kept in; others are given them in float32. */
  readonly takesNarrow?: boolean;
  /** The feature of WGSL that it needs. */
  readonly enables?: string;
  /** Values of its `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
}

/** Lanes of a workgroup, as in `prelude.wgsl`. */
const LANES = 64;

/**
 * WGSL's function `name(lane, value)` that puts the values of a workgroup's lanes together, two at a time by an
 * expression of a and b, in an order that never changes.
 */
export const laneFold = (name: string, type: string, expression: string): string => `
var<workgroup> valuesOf_${name}: array<${type}, LANES>;
fn ${name}(lane: u32, value: ${type}) -> ${type} {
  valuesOf_${name}[lane] = value;
  workgroupBarrier();
  for (var half = LANES / 2u; half > 0u; half /= 2u) {
    if (lane < half) {
      let a = valuesOf_${name}[lane];
      let b = valuesOf_${name}[lane + half];
      valuesOf_${name}[lane] = ${expression};
    }
    workgroupBarrier();
  }
  let all = valuesOf_${name}[0];
  workgroupBarrier();
  return all;
}
`;

/** What every program begins with. */
const beginning =
  prelude + laneFold('sumOfLanes', 'f32', 'a + b') + laneFold('largestOfLanes', 'f32', 'max(a, b)');

/** The entry of programs that go over something. */
const entryOver = (call: string): string => `
@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = flat(group, groups);
  ${call}
}`;

const entries = {
  elements: (each: string) =>
    entryOver(`let i = number * LANES + lane; if (i < params.size) { ${each}(i); }`),
  rows: (each: string) => entryOver(`if (number < params.rows) { ${each}(number, lane); }`),
};

/** Workgroups for a program that goes over so many elements or rows. */
const groupsOver = (over: 'elements' | 'rows', count: number): number =>
  over === 'rows' ? count : Math.ceil(count / LANES);

/** Programs that differ by a number: made once for each. */
export function programFor<K extends string | number>(make: (key: K) => Program): (key: K) => Program {
  const made = new Map<K, Program>();
  return (key) => {
    let program = made.get(key);
    if (!program) {
      program = make(key);
      made.set(key, program);
    }
    return program;
  };
}

interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** The bindings of the buffers. */
  readonly bindings: readonly number[];
  readonly groups: BindGroups;
}

interface BoundGroup {
  readonly buffers: readonly DeviceBuffer[];
  readonly group: GPUBindGroup;
}

/** A number from those of buffers, alike for few lists; of 30 bits, which V8 keeps as they are. */
function hashOf(buffers: readonly DeviceBuffer[]): number {
  let hash = 0;
  for (let i = 0; i < buffers.length; i++) hash = (Math.imul(hash, 0x9e3779b1) + buffers[i]!.id) | 0;
  return (hash ^ (hash >>> 15)) & 0x3fffffff;
}

/**
 * Bind groups of a program by their buffers: steps of training and decoding come with the same buffers again and again,
 * and making a group costs more than all else of a kernel. When there are many, those go that were not used since there
 * were that many before.
 */
class BindGroups {
  /** More than a model of 48 layers has of one kernel in a step. */
  static readonly #most = 2048;
  #recent = new Map<number, BoundGroup>();
  #older = new Map<number, BoundGroup>();

  get(buffers: readonly DeviceBuffer[]): GPUBindGroup | undefined {
    const hash = hashOf(buffers);
    const recent = this.#recent.get(hash);
    const known = recent ?? this.#older.get(hash);
    if (!known) return undefined;
    for (let i = 0; i < buffers.length; i++) if (known.buffers[i] !== buffers[i]) return undefined;
    if (!recent) this.set(known.buffers, known.group);
    return known.group;
  }

  set(buffers: readonly DeviceBuffer[], group: GPUBindGroup): void {
    if (this.#recent.size >= BindGroups.#most) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(hashOf(buffers), { buffers, group });
  }
}

/** Bytes of parameters that a kernel sees. */
const PARAMETER_BYTES = 256;
const COMPUTE_STAGE = 4;

/** The programs of a device, compiled when they are first run. */
export class Programs {
  readonly #device: GPUDevice;
  readonly #commands: Commands;
  readonly #compiled = new Map<Program, Compiled>();
  readonly #most: number;

  constructor(device: GPUDevice, commands: Commands) {
    this.#device = device;
    this.#commands = commands;
    this.#most = device.limits.maxComputeWorkgroupsPerDimension;
  }

  /**
   * Records a program.
   * @param workgroups how many; by what the program goes over when absent. More than one dimension holds are spread over
   * two, see `flat` in `prelude.wgsl`
   */
  run(
    program: Program,
    buffers: readonly DeviceBuffer[],
    ints: readonly number[],
    floats: readonly number[],
    workgroups = groupsOver(program.over!, ints[0]!),
  ): void {
    if (workgroups === 0) return;
    const compiled = this.#compile(program);
    const offset = this.#commands.note(ints, floats);
    const group = this.#group(compiled, buffers);
    const { pipeline } = compiled;
    if (workgroups <= this.#most) this.#commands.dispatch(pipeline, group, offset, workgroups);
    else this.#commands.dispatch(pipeline, group, offset, ...spread(workgroups, this.#most));
  }

  #group({ layout, bindings, groups }: Compiled, buffers: readonly DeviceBuffer[]): GPUBindGroup {
    const known = groups.get(buffers);
    if (known) return known;
    const entries: GPUBindGroupEntry[] = [
      { binding: 0, resource: { buffer: this.#commands.parameters, size: PARAMETER_BYTES } },
    ];
    for (const [i, { gpu }] of buffers.entries()) {
      entries.push({ binding: bindings[i]!, resource: { buffer: gpu } });
    }
    const group = this.#device.createBindGroup({ layout, entries });
    groups.set(buffers, group);
    return group;
  }

  #compile(program: Program): Compiled {
    const known = this.#compiled.get(program);
    if (known) return known;
    const { name, code, buffers, over, constants, enables } = program;
    const entry = over ? 'main' : (program.entry ?? 'main');
    const ending = over ? entries[over](program.entry ?? 'each') : '';
    const accesses = Array.from(buffers, (access, i) => ({ access, binding: i + 1 })).filter(
      ({ access }) => access !== '-',
    );
    const layout = this.#device.createBindGroupLayout({
      entries: [
        {
          binding: 0,
          visibility: COMPUTE_STAGE,
          buffer: { type: 'uniform', hasDynamicOffset: true },
        },
        ...accesses.map(({ access, binding }) => ({
          binding,
          visibility: COMPUTE_STAGE,
          buffer: { type: access === 'w' ? 'storage' : 'read-only-storage' } as const,
        })),
      ],
    });
    // before all else
    const enabling = enables ? `enable ${enables};\n` : '';
    const module = this.#device.createShaderModule({
      label: name,
      code: `${enabling}${beginning}\n${code}${ending}`,
    });
    const pipeline = this.#device.createComputePipeline({
      label: name,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: entry, ...(constants ? { constants } : {}) },
    });
    const bindings = accesses.map(({ binding }) => binding);
    const compiled = { pipeline, layout, bindings, groups: new BindGroups() };
    this.#compiled.set(program, compiled);
    return compiled;
  }
}

/** Workgroups in at most two dimensions; there may be a few more than asked for. */
export function spread(workgroups: number, most: number): [number, number] {
  if (workgroups <= most) return [workgroups, 1];
  const rows = Math.ceil(workgroups / most);
  return [Math.ceil(workgroups / rows), rows];
}
