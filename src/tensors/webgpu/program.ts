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
  /** Its function; `main` when absent. */
  readonly entry?: string;
  /** Values of its `override` constants. */
  readonly constants?: Readonly<Record<string, number>>;
}

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
  /** By the ids of the buffers, because the same ones come again and again. */
  readonly groups: Map<string, GPUBindGroup>;
}

/** Bind groups that are kept of a program. */
const KEPT_GROUPS = 64;

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
   * @param workgroups how many; more than one dimension holds are spread over two, see `flat` in `prelude.wgsl`
   */
  run(
    program: Program,
    buffers: readonly DeviceBuffer[],
    ints: readonly number[],
    floats: readonly number[],
    workgroups: number,
  ): void {
    if (workgroups === 0) return;
    const compiled = this.#compile(program);
    const offset = this.#commands.note(ints, floats);
    const group = this.#group(compiled, buffers);
    this.#commands.dispatch(compiled.pipeline, group, [offset], spread(workgroups, this.#most));
  }

  #group({ layout, bindings, groups }: Compiled, buffers: readonly DeviceBuffer[]): GPUBindGroup {
    let key = '';
    for (const { id } of buffers) key += `${id},`;
    const known = groups.get(key);
    if (known) return known;
    const entries: GPUBindGroupEntry[] = [
      { binding: 0, resource: { buffer: this.#commands.parameters, size: PARAMETER_BYTES } },
    ];
    for (const [i, { gpu }] of buffers.entries()) {
      entries.push({ binding: bindings[i]!, resource: { buffer: gpu } });
    }
    const group = this.#device.createBindGroup({ layout, entries });
    if (groups.size >= KEPT_GROUPS) groups.clear();
    groups.set(key, group);
    return group;
  }

  #compile(program: Program): Compiled {
    const known = this.#compiled.get(program);
    if (known) return known;
    const { name, code, buffers, entry = 'main', constants } = program;
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
    const module = this.#device.createShaderModule({ label: name, code: `${prelude}\n${code}` });
    const pipeline = this.#device.createComputePipeline({
      label: name,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: entry, ...(constants ? { constants } : {}) },
    });
    const bindings = accesses.map(({ binding }) => binding);
    const compiled = { pipeline, layout, bindings, groups: new Map<string, GPUBindGroup>() };
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
