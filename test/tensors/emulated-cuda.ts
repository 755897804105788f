/**
 * The operations that only a GPU has, as PyTorch documents them, in plain loops on the processor: with them the code
 * for CUDA runs where there is no GPU. What is given to them is checked as the kernels check it, and written down.
 */

import type { TorchArgument } from '../../src/tensors/torch/arguments.js';
import type { TorchDtype } from '../../src/tensors/torch/dtypes.js';
import type { GraphDriver } from '../../src/tensors/torch/graph-driver.js';
import type { Handle } from '../../src/tensors/torch/library.js';
import type { OperationName } from '../../src/tensors/torch/schemas.js';
import { Torch } from '../../src/tensors/torch/torch.js';

/** Rows of heads on the host: [n, heads, headDim]. */
interface Rows {
  values: Float32Array;
  heads: number;
  dim: number;
}

/** One sample: which rows of queries, which rows of keys, and how many keys more than queries there are. */
interface Segment {
  q: number;
  count: number;
  k: number;
  length: number;
  /** How many keys a row sees, itself the last of them. */
  window: number;
}

/** A tensor argument, or anything else, of a call that was made. */
export type Recorded = { name: string; args: unknown[]; outputs: number[][] };

/** Streams and graphs as the driver has them: what is captured is recorded, and runs again on the same handles. */
class EmulatedDriver implements GraphDriver {
  readonly log: string[] = [];
  /** Operations of the capture that goes on. */
  recording: (() => void)[] | undefined;
  readonly #graphs = new Map<number, (() => void)[]>();
  #stream = 0;
  #next = 1;

  get graphs(): number {
    return this.#graphs.size;
  }

  poolStream(): number {
    return 77;
  }

  currentStream(): number {
    return this.#stream;
  }

  setStream(stream: number): void {
    check(this.recording === undefined, 'the stream is not changed during a capture');
    this.#stream = stream;
  }

  synchronize(): void {
    check(this.recording === undefined, 'nothing is waited for during a capture');
  }

  begin(stream: number): void {
    check(stream !== 0, 'nothing is captured on the default stream');
    check(stream === this.#stream, 'a capture of the stream that operations run on');
    check(this.recording === undefined, 'one capture at a time');
    this.recording = [];
    this.log.push('begin');
  }

  end(): number {
    check(this.recording !== undefined, 'a capture that has begun');
    const graph = this.#next++;
    this.#graphs.set(graph, this.recording);
    this.recording = undefined;
    this.log.push('end');
    return graph;
  }

  launch(graph: number, stream: number): void {
    check(stream === 0, 'replays follow each other on the stream of everything else');
    const operations = this.#graphs.get(graph);
    check(operations !== undefined, 'a graph that is there');
    for (const operation of operations) operation();
    this.log.push('launch');
  }

  destroy(graph: number): void {
    check(this.#graphs.delete(graph), 'a graph that is there');
  }
}

export class EmulatedCuda extends Torch {
  readonly calls: Recorded[] = [];
  readonly driver = new EmulatedDriver();
  /** The code of an operation here may look at memory; the device would. */
  #inside = false;
  /** Refuse the first operation of that name during a capture. */
  refuse: OperationName | undefined;

  protected override graphDriver(): GraphDriver {
    return this.driver;
  }

  protected override assertNoCapture(what: string): void {
    if (!this.#inside) super.assertNoCapture(what);
  }

  /** The code of a kernel, which the host has no part in. */
  #onDevice<T>(f: () => T): T {
    const before = this.#inside;
    this.#inside = true;
    try {
      return f();
    } finally {
      this.#inside = before;
    }
  }

  /**
   * Runs an operation; during a capture it is recorded. A replay runs it on the same arguments and writes to the handles
   * that the capture has given. Unlike a GPU, the capture itself computes, too.
   */
  #recorded(run: () => Handle[]): Handle[] {
    const outputs = this.#onDevice(run);
    const { recording } = this.driver;
    if (!recording || this.#isReplaying) return outputs;
    const places = outputs.map((handle) => this.lasting(handle));
    recording.push(() =>
      this.#onDevice(() => {
        this.#isReplaying = true;
        this.tidy(() => {
          for (const [i, handle] of run().entries()) super.copy(places[i]!, handle);
          return undefined;
        });
        this.#isReplaying = false;
      }),
    );
    return outputs;
  }

  #isReplaying = false;

  override full(shape: readonly number[], value: number, dtype: TorchDtype): Handle {
    return this.#recorded(() => [super.full(shape, value, dtype)])[0]!;
  }

  override add(a: Handle, b: Handle, alpha = 1): Handle {
    const [x, y] = [this.lasting(a), this.lasting(b)];
    return this.#recorded(() => [super.add(x, y, alpha)])[0]!;
  }

  override addProduct(sum: Handle, x: Handle, weight: Handle): void {
    const [total, a, b] = [this.lasting(sum), this.lasting(x), this.lasting(weight)];
    this.#recorded(() => {
      super.addProduct(total, a, b);
      return [];
    });
  }

  override linearPacked(x: Handle, packed: Handle, bias: Handle | null): Handle {
    const [a, b, c] = [this.lasting(x), this.lasting(packed), bias === null ? null : this.lasting(bias)];
    return this.#recorded(() => [super.linearPacked(a, b, c)])[0]!;
  }

  override copy(to: Handle, from: Handle, options?: { wait?: boolean }): void {
    const [a, b] = [this.lasting(to), this.lasting(from)];
    this.#recorded(() => {
      super.copy(a, b, options);
      return [];
    });
  }

  override get usesCudaKernels(): boolean {
    return true;
  }

  override callAll(name: OperationName, ...given: TorchArgument[]): Handle[] {
    if (this.driver.recording && name === this.refuse) throw new Error(`${name} cannot be captured`);
    const args = this.lastingArguments(name, given) as TorchArgument[];
    return this.#recorded(() => this.#run(name, args));
  }

  #run(name: OperationName, args: TorchArgument[]): Handle[] {
    this.#checks[name]?.(args as never);
    const emulated = this.#emulations[name];
    if (!emulated) return super.callAll(name, ...args);
    const outputs = this.tidy(() => emulated(args as never));
    this.calls.push({
      name,
      args: args.map((value, i) => this.#describe(name, i, value)),
      outputs: outputs.map((handle) => this.shapeOf(handle)),
    });
    return outputs;
  }

  readonly #emulations: Partial<Record<OperationName, (args: never[]) => Handle[]>> = {
    _flash_attention_forward: (args) => this.#flashForward(args),
    _flash_attention_backward: (args) => this.#flashBackward(args),
    _efficient_attention_forward: (args) => this.#efficientForward(args),
    _efficient_attention_backward: (args) => this.#efficientBackward(args),
    _fused_rms_norm: (args) => this.#rmsNorm(args),
    _fused_rms_norm_backward: (args) => this.#rmsNormBackward(args),
  };

  /** What PyTorch's sources for CUDA check of operations that the processor has, too. */
  readonly #checks: Partial<Record<OperationName, (args: never[]) => void>> = {
    _fused_adamw_: (args) => this.#checkAdamW(args),
    scaled_dot_product_attention: (args) => this.#checkAttention(args),
  };

  /** `check_fast_path_restrictions` (ForeachUtils.h), and how its kernel reads the steps. */
  #checkAdamW(args: never[]): void {
    const [params, ...others] = (args as Handle[][]).slice(0, 4) as [Handle[], ...Handle[][]];
    const steps = (args as Handle[][])[5] as Handle[];
    const form = (handle: Handle) => [this.shapeOf(handle), this.stridesOf(handle)].join(';');
    const type = this.dtypeOf(params[0] as Handle);
    for (const list of [params, ...others, steps])
      check(list.length === params.length, 'lists of the same length');
    for (const [i, param] of params.entries()) {
      for (const handle of [param, ...others.map((list) => list[i] as Handle)]) {
        check(this.dtypeOf(handle) === type, 'parameters, gradients and moments of one type');
        check(form(handle) === form(param), 'parameters, gradients and moments of one layout');
      }
      check(this.dtypeOf(steps[i] as Handle) === 'float32', 'steps in float32');
    }
  }

  /** What `sdp_utils.cpp` lets the memory-efficient kernel take, `preprocess_mask` makes of a mask, and it then checks. */
  #checkAttention(args: never[]): void {
    const [q, k, v, mask] = args as (Handle | null)[] as [Handle, Handle, Handle, Handle | null];
    const type = this.dtypeOf(q);
    for (const x of [k, v, ...(mask === null ? [] : [mask])])
      check(this.dtypeOf(x) === type, 'queries, keys, values and mask of one type');
    check(mask === null || (args as unknown[])[5] === false, 'a mask, or a causal one');
    const [, , rows, headDim] = this.shapeOf(q) as [number, number, number, number];
    const { least, vector } = this.#alignment(type);
    // otherwise it is done in matrix products, which take anything
    if (headDim % vector !== 0) return;
    for (const x of [q, k, v]) this.#checkRows(x, least);
    if (mask === null) return;
    const strides = this.stridesOf(mask);
    check(strides.at(-1) === 1, 'rows of a mask lie together');
    // it is copied otherwise; the kernel's own check of the address is weaker than its loads of 16 bytes
    if (strides.slice(0, -1).every((stride) => stride % 8 === 0))
      check(this.dataPointer(mask) % 16 === 0, 'attn_bias is not correctly aligned');
    const shared = [k, v].every((x) => this.stridesOf(x)[1] === 0);
    check(
      !(shared && rows % 32 === 1),
      'no row alone in its block where heads share keys by a stride of 0: it gets the mask of the first',
    );
  }

  /** Elements that strides and places of tensors are multiples of: at least, and where tensor cores are used. */
  #alignment(type: TorchDtype): { least: number; vector: number } {
    const half = type !== 'float32';
    const isModern = this.#capability >= 8;
    check(type !== 'bfloat16' || isModern, 'no kernel found to launch: bfloat16 below capability 8.0');
    const least = half || isModern ? 4 : 1;
    return { least, vector: half ? 8 : least };
  }

  get #capability(): number {
    return this.gpu?.capability ?? 0;
  }

  /** [batch, rows, heads, D] or [batch, heads, rows, D] for the memory-efficient kernels. */
  #checkRows(x: Handle, alignment: number): void {
    const strides = this.stridesOf(x);
    check(strides.at(-1) === 1, 'numbers of a head lie together');
    for (const stride of strides.slice(1, -1))
      check(stride % alignment === 0, 'not correctly aligned (stride)');
    const bytes = this.dtypeOf(x) === 'float32' ? 4 : 2;
    check(this.dataPointer(x) % (alignment * bytes) === 0, 'not correctly aligned (pointer)');
  }

  /** Which arguments are tensors is in the schema; here by their place. */
  #describe(name: string, at: number, value: TorchArgument): unknown {
    const flash = name.startsWith('_flash');
    const backward = name.endsWith('_backward');
    const tensors = name.includes('rms_norm')
      ? backward
        ? [0, 1, 3, 4]
        : [0, 2]
      : flash
        ? backward
          ? [0, 1, 2, 3, 4, 5, 6, 7, 12, 13]
          : [0, 1, 2, 3, 4, 13, 14]
        : backward
          ? [0, 1, 2, 3, 5, 6, 7, 10, 12, 13]
          : [0, 1, 2, 4, 5];
    if (value === null || !tensors.includes(at)) return value;
    return { shape: this.shapeOf(value as Handle), dtype: this.dtypeOf(value as Handle) };
  }

  #floats(handle: Handle): Float32Array {
    const shape = this.shapeOf(handle);
    const size = shape.reduce((a, b) => a * b, 1);
    const whole = this.contiguous(handle, shape, 'float32');
    return new Float32Array(this.hostBytes(whole, size, 'float32').slice(0));
  }

  #integers(handle: Handle): Int32Array {
    check(this.dtypeOf(handle) === 'int32', 'offsets are int32');
    check(this.rankOf(handle) === 1 && this.stridesOf(handle)[0] === 1, 'offsets lie together');
    const [size] = this.shapeOf(handle) as [number];
    return new Int32Array(this.hostBytes(handle, size, 'int32').slice(0));
  }

  #tensor(values: Float32Array, shape: number[], dtype: TorchDtype): Handle {
    const wide = this.empty(shape, 'float32');
    new Float32Array(this.hostBytes(wide, values.length, 'float32')).set(values);
    return dtype === 'float32' ? wide : this.cast(wide, dtype);
  }

  #rows(handle: Handle): Rows {
    const [heads, dim] = this.shapeOf(handle).slice(-2) as [number, number];
    return { values: this.#floats(handle), heads, dim };
  }

  /** q, k, v [n, heads, D] in one half type, offsets, longest samples, no dropout, causal from the lower right. */
  #flashSegments(
    [q, k, v, bounds, keyBounds, mostQ, mostK]: Handle[],
    [left = null, right = null]: readonly unknown[],
    used?: Handle | null,
  ): Segment[] {
    // keys to the left and right of a row, itself not counted; no limit where it is None
    check((left === null) === (right === null), 'both sides of a window, or none');
    check(right === null || right === 0, 'a causal window ends at its row');
    const window = left === null ? Number.POSITIVE_INFINITY : (left as number) + 1;
    const dtypes = [q, k, v].map((x) => this.dtypeOf(x as Handle));
    check(new Set(dtypes).size === 1 && dtypes[0] !== 'float32', `flash takes one half type, not ${dtypes}`);
    check(this.#capability >= 8, 'FlashAttention only supports Ampere GPUs or newer');
    for (const x of [q, k, v]) {
      check(this.rankOf(x as Handle) === 3, 'flash takes [rows, heads, headDim]');
      check(this.stridesOf(x as Handle)[2] === 1, 'numbers of a head lie together');
    }
    const [rows, heads, dim] = this.shapeOf(q as Handle) as [number, number, number];
    check(dim % 8 === 0 && dim <= 256, `a head of ${dim}`);
    const [kShape, vShape] = [k, v].map((x) => this.shapeOf(x as Handle)) as [number[], number[]];
    check(kShape.join() === vShape.join() && kShape[2] === dim, 'keys and values of one shape');
    const keyHeads = kShape[1] as number;
    check(heads % keyHeads === 0, 'key heads divide query heads');
    const [ends, starts] = [this.#integers(bounds as Handle), this.#integers(keyBounds as Handle)];
    check(ends.length === starts.length && ends.length > 1, 'as many offsets of keys as of queries');
    // single rows of grouped heads are seen as [samples, key heads, group, headDim]
    const isSwapped = (mostQ as number) === 1 && heads > keyHeads && left === null;
    check(!isSwapped || rows === ends.length - 1, 'as many single rows as samples');
    const lengths = used
      ? this.#used(used, ends.length - 1)
      : starts.slice(1).map((end, i) => end - (starts[i] as number));
    const segments = Array.from({ length: ends.length - 1 }, (_, i) => ({
      q: ends[i] as number,
      count: (ends[i + 1] as number) - (ends[i] as number),
      k: starts[i] as number,
      length: lengths[i] as number,
      window,
    }));
    check(Math.max(...segments.map(({ count }) => count)) === mostQ, 'max_q is the longest');
    check(
      Math.max(...segments.map(({ length }) => length)) <= (mostK as number),
      'none is longer than max_k',
    );
    return segments;
  }

  #used(handle: Handle, samples: number): Int32Array {
    const lengths = this.#integers(handle);
    check(lengths.length === samples, 'seqused_k has a number for each sample');
    return lengths;
  }

  #flashForward(args: never[]): Handle[] {
    const [q, k, v] = args as Handle[] as [Handle, Handle, Handle];
    const [dropout, causal, debug, scale] = (args as unknown[]).slice(7, 11);
    check(dropout === 0 && causal === true && debug === false, 'no dropout, causal, no debugging');
    const segments = this.#flashSegments(args, (args as unknown[]).slice(11, 13), args[13]);
    const total = this.shapeOf(q)[0] as number;
    const { out, sums, heads, dim } = attention(
      this.#rows(q),
      this.#rows(k),
      this.#rows(v),
      segments,
      scale as number,
    );
    // the sums of flash lie head by head
    const flipped = new Float32Array(sums.length);
    for (let i = 0; i < total; i++)
      for (let h = 0; h < heads; h++) flipped[h * total + i] = sums[i * heads + h]!;
    return [
      this.#tensor(out, [total, heads, dim], this.dtypeOf(q)),
      this.#tensor(flipped, [heads, total], 'float32'),
      this.full([2], 7, 'int64'),
      this.full([], 8, 'int64'),
      this.full([0], 0, 'float32'),
    ];
  }

  #flashBackward(args: never[]): Handle[] {
    const [dy, q, k, v] = args as Handle[] as [Handle, Handle, Handle, Handle];
    const [bounds, keyBounds, mostQ, mostK] = (args as Handle[]).slice(6, 10) as [
      Handle,
      Handle,
      Handle,
      Handle,
    ];
    const [dropout, causal, state, unused, scale] = (args as unknown[]).slice(10, 15);
    check(dropout === 0 && causal === true, 'no dropout, causal');
    check(this.#ids(state as Handle, unused as Handle) === '7,8', 'the state of the forward pass comes back');
    const limits = (args as unknown[]).slice(15, 17);
    const segments = this.#flashSegments([q, k, v, bounds, keyBounds, mostQ, mostK], limits);
    const [out, sums] = (args as Handle[]).slice(4, 6) as [Handle, Handle];
    for (const x of [dy, out]) {
      check(this.dtypeOf(x) === this.dtypeOf(q), 'results and gradients have the type of the queries');
      check(
        this.shapeOf(x).join() === this.shapeOf(q).join(),
        'results and gradients are shaped like queries',
      );
    }
    const [rows, heads] = this.shapeOf(q) as [number, number];
    check(this.shapeOf(sums).join() === `${heads},${rows}`, 'sums lie head by head');
    check(this.dtypeOf(sums) === 'float32', 'sums are float32');
    const gradients = attentionGradients(
      this.#rows(dy),
      this.#rows(q),
      this.#rows(k),
      this.#rows(v),
      segments,
      scale as number,
    );
    return [q, k, v].map((x, i) => this.#tensor(gradients[i]!, this.shapeOf(x), this.dtypeOf(x)));
  }

  #ids(...handles: Handle[]): string {
    return handles.map((handle) => this.#floats(handle)[0]).join();
  }

  #efficientSegments(q: Handle, k: Handle, bounds: Handle, most: unknown, limit: unknown): Segment[] {
    check(
      this.shapeOf(q).length === 4 && this.shapeOf(q)[0] === 1,
      'efficient takes [1, rows, heads, headDim]',
    );
    check(this.shapeOf(q).join() === this.shapeOf(k).join(), 'as many key heads as query heads');
    check(this.dtypeOf(q) === this.dtypeOf(k), 'queries and keys of one type');
    const { least } = this.#alignment(this.dtypeOf(q));
    for (const x of [q, k]) this.#checkRows(x, least);
    const ends = this.#integers(bounds);
    const rows = this.shapeOf(q)[1] as number;
    check(0 < (most as number) && (most as number) <= rows, 'max_seqlen is that of a sample');
    check(limit === null || (limit as number) > 0, 'a window has rows');
    const segments = Array.from({ length: ends.length - 1 }, (_, i) => {
      const count = (ends[i + 1] as number) - (ends[i] as number);
      const window = (limit ?? Number.POSITIVE_INFINITY) as number;
      return { q: ends[i] as number, count, k: ends[i] as number, length: count, window };
    });
    check(Math.max(...segments.map(({ count }) => count)) === most, 'max_seqlen is the longest');
    return segments;
  }

  #efficientForward(args: never[]): Handle[] {
    const [q, k, v] = args as Handle[] as [Handle, Handle, Handle];
    const [bias, bounds, keyBounds, mostQ, mostK, dropout, mask, sum, scale, used, window] = (
      args as unknown[]
    ).slice(3, 14);
    check(used === null, 'no lengths of a cache');
    check(bias === null && bounds === keyBounds && mostQ === mostK && dropout === 0, 'one list of offsets');
    check(mask === 1 && sum === true, 'causal from the upper left, with sums');
    const segments = this.#efficientSegments(q, k, bounds as Handle, mostQ, window);
    const { out } = attention(this.#rows(q), this.#rows(k), this.#rows(v), segments, scale as number);
    const heads = this.shapeOf(q)[2] as number;
    return [
      this.#tensor(out, this.shapeOf(q), this.dtypeOf(q)),
      this.full([segments.length, heads, Math.ceil((mostQ as number) / 32) * 32], 0, 'float32'),
      this.full([], 9, 'int64'),
      this.full([], 10, 'int64'),
    ];
  }

  #efficientBackward(args: never[]): Handle[] {
    const [dy, q, k, v] = args as Handle[] as [Handle, Handle, Handle, Handle];
    const [
      bias,
      result,
      bounds,
      keyBounds,
      mostQ,
      mostK,
      sums,
      dropout,
      seed,
      offset,
      mask,
      wantsBias,
      scale,
      ,
      window,
    ] = (args as unknown[]).slice(4, 19);
    check(bias === null && bounds === keyBounds && mostQ === mostK && dropout === 0, 'one list of offsets');
    check(mask === 1 && wantsBias === false, 'causal from the upper left');
    for (const x of [dy, result as Handle]) {
      check(
        this.shapeOf(x).join() === this.shapeOf(q).join(),
        'results and gradients are shaped like queries',
      );
      check(this.dtypeOf(x) === this.dtypeOf(q), 'results and gradients have the type of the queries');
      this.#checkRows(x, this.#alignment(this.dtypeOf(x)).least);
    }
    check(this.dtypeOf(sums as Handle) === 'float32', 'sums are float32');
    check(
      this.stridesOf(sums as Handle)
        .slice(0, 2)
        .every((stride) => stride % 8 === 0),
      'LSE is not correctly aligned',
    );
    check(this.#ids(seed as Handle, offset as Handle) === '9,10', 'the state of the forward pass comes back');
    const segments = this.#efficientSegments(q, k, bounds as Handle, mostQ, window);
    const gradients = attentionGradients(
      this.#rows(dy),
      this.#rows(q),
      this.#rows(k),
      this.#rows(v),
      segments,
      scale as number,
    );
    return [q, k, v].map((x, i) => this.#tensor(gradients[i]!, this.shapeOf(x), this.dtypeOf(x)));
  }

  #rmsNorm(args: never[]): Handle[] {
    const [x, , weight, epsilon] = args as Handle[] as [Handle, Handle, Handle, number];
    const [n, d] = this.shapeOf(x) as [number, number];
    check(this.dtypeOf(weight) === this.dtypeOf(x), 'weight and input of one type');
    check(this.shapeOf(weight).join() === `${d}`, 'a weight for each column');
    const [values, w] = [this.#floats(x), this.#floats(weight)];
    const out = new Float32Array(values.length);
    const rstd = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += values[i * d + j]! ** 2;
      rstd[i] = 1 / Math.sqrt(sum / d + epsilon);
      for (let j = 0; j < d; j++) out[i * d + j] = values[i * d + j]! * rstd[i]! * w[j]!;
    }
    return [this.#tensor(out, [n, d], this.dtypeOf(x)), this.#tensor(rstd, [n, 1], 'float32')];
  }

  #rmsNormBackward(args: never[]): Handle[] {
    const [dy, x, , rstd, weight] = args as Handle[] as [Handle, Handle, Handle, Handle, Handle];
    const [n, d] = this.shapeOf(x) as [number, number];
    check(this.dtypeOf(dy) === this.dtypeOf(x), 'gradients have the type of the input');
    check(this.dtypeOf(weight) === this.dtypeOf(x), 'weight and input of one type');
    check(this.dtypeOf(rstd) === 'float32' && this.shapeOf(rstd)[0] === n, 'a reciprocal for each row');
    const [grads, values, r, w] = [dy, x, rstd, weight].map((handle) =>
      this.#floats(handle),
    ) as Float32Array[];
    const out = new Float32Array(n * d);
    for (let i = 0; i < n; i++) {
      let mean = 0;
      for (let j = 0; j < d; j++) mean += (grads![i * d + j]! * w![j]! * values![i * d + j]! * r![i]!) / d;
      for (let j = 0; j < d; j++) {
        const at = i * d + j;
        out[at] = r![i]! * (grads![at]! * w![j]! - values![at]! * r![i]! * mean);
      }
    }
    return [this.#tensor(out, [n, d], this.dtypeOf(x)), this.full([0], 0, 'float32')];
  }
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`a CUDA kernel would refuse: ${what}`);
}

/** For each query row and head: the weights of the keys that it sees, and log Σ exp. */
function forEachRow(
  q: Rows,
  k: Rows,
  segments: readonly Segment[],
  scale: number,
  f: (
    row: number,
    head: number,
    keyHead: number,
    firstKey: number,
    weights: Float64Array,
    sum: number,
  ) => void,
): void {
  const group = q.heads / k.heads;
  for (const { q: first, count, k: start, length, window } of segments) {
    for (let i = 0; i < count; i++) {
      const all = length - count + i + 1;
      const seen = Math.min(all, window);
      const firstKey = start + all - seen;
      for (let h = 0; h < q.heads; h++) {
        const keyHead = Math.floor(h / group);
        const scores = Float64Array.from({ length: seen }, (_, j) => {
          let dot = 0;
          for (let x = 0; x < q.dim; x++) {
            dot +=
              q.values[((first + i) * q.heads + h) * q.dim + x]! *
              k.values[((firstKey + j) * k.heads + keyHead) * q.dim + x]!;
          }
          return dot * scale;
        });
        const most = Math.max(...scores);
        const total = scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
        const sum = most + Math.log(total);
        f(
          first + i,
          h,
          keyHead,
          firstKey,
          scores.map((score) => Math.exp(score - sum)),
          sum,
        );
      }
    }
  }
}

function attention(q: Rows, k: Rows, v: Rows, segments: readonly Segment[], scale: number) {
  const { heads, dim } = q;
  const out = new Float32Array(q.values.length);
  const sums = new Float32Array(q.values.length / dim);
  forEachRow(q, k, segments, scale, (row, head, keyHead, firstKey, weights, sum) => {
    sums[row * heads + head] = sum;
    for (const [j, weight] of weights.entries()) {
      for (let x = 0; x < dim; x++) {
        out[(row * heads + head) * dim + x]! +=
          weight * v.values[((firstKey + j) * k.heads + keyHead) * dim + x]!;
      }
    }
  });
  return { out, sums, heads, dim };
}

function attentionGradients(
  dy: Rows,
  q: Rows,
  k: Rows,
  v: Rows,
  segments: readonly Segment[],
  scale: number,
) {
  const { heads, dim } = q;
  const [dq, dk, dv] = [q, k, v].map(({ values }) => new Float32Array(values.length)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  forEachRow(q, k, segments, scale, (row, head, keyHead, firstKey, weights) => {
    const at = (row * heads + head) * dim;
    const key = (j: number) => ((firstKey + j) * k.heads + keyHead) * dim;
    const products = weights.map((_, j) => {
      let dot = 0;
      for (let x = 0; x < dim; x++) dot += dy.values[at + x]! * v.values[key(j) + x]!;
      return dot;
    });
    const mean = weights.reduce((sum, weight, j) => sum + weight * products[j]!, 0);
    for (const [j, weight] of weights.entries()) {
      const dScore = weight * (products[j]! - mean) * scale;
      for (let x = 0; x < dim; x++) {
        dq[at + x]! += dScore * k.values[key(j) + x]!;
        dk[key(j) + x]! += dScore * q.values[at + x]!;
        dv[key(j) + x]! += weight * dy.values[at + x]!;
      }
    }
  });
  return [dq, dk, dv];
}
