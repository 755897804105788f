import type * as tf from '@tensorflow/tfjs-core';
import { AttachedMap } from './attached-map.js';

/** What tensors made since its beginning are freed by at the end of an operation, or of `tidy`. */
interface Scope {
  readonly track: tf.Tensor[];
  readonly id: number;
}

/** Parts of the engine that it does not declare. */
interface Internals {
  readonly ENV: tf.Environment;
  readonly backendName: string;
  readonly backendInstance: tf.KernelBackend;
  readonly state: {
    tensorInfo: AttachedMap<{ backend: tf.KernelBackend }>;
    gradientDepth: number;
    kernelDepth: number;
    profiling: boolean;
    activeScope: Scope | null;
    readonly scopeStack: Scope[];
  };
  clone(x: tf.Tensor): tf.Tensor;
  track(x: tf.Tensor): tf.Tensor;
  endScope(result: unknown): void;
  runKernel(name: string, inputs: tf.NamedTensorMap, attrs: object): tf.Tensor | tf.Tensor[];
  makeTensorFromTensorInfo(info: tf.TensorInfo): tf.Tensor;
  getTensorsForGradient(name: string, inputs: tf.NamedTensorMap, outputs: tf.Tensor[]): tf.Tensor[];
  saveTensorsForBackwardMode(tensors: tf.Tensor[]): tf.Tensor[];
  addTapeNode(
    name: string,
    inputs: tf.NamedTensorMap,
    outputs: tf.Tensor[],
    gradient: null,
    saved: tf.Tensor[],
    attrs: object,
  ): void;
}

/** A tensor as the engine keeps track of it. */
interface Tracked extends tf.Tensor {
  scopeId: number;
}

/** The kernels of all backends, by `backend_name`. */
export type KernelRegistry = ReadonlyMap<string, { readonly kernelFunc: tf.KernelFunc }>;

/**
 * Replaces what the engine of tfjs does around every kernel by the same in fewer steps: a step of training is some
 * thousand kernels, and on a GPU the time between two of them is what bounds small models.
 * @param isTensor whether a value is a tensor of this copy of tfjs
 */
export function quicken(
  given: object,
  kernels: KernelRegistry,
  isTensor: (value: unknown) => value is tf.Tensor,
): void {
  const engine = given as unknown as Internals;
  // where the engine looks up which backend a tensor belongs to, see there
  engine.state.tensorInfo = new AttachedMap();
  countWhatIsSaved(engine);
  runInOneCall(engine, kernels);
  endScopesOfOne(engine, isTensor);
}

/**
 * What a kernel saves for its gradient: the engine runs a kernel for each and notes it on the tape, which only
 * gradients of gradients need.
 */
function countWhatIsSaved(engine: Internals): void {
  const clone = engine.clone.bind(engine);
  engine.clone = (x) => {
    const { tensorInfo, gradientDepth } = engine.state;
    if (gradientDepth > 1) return clone(x);
    tensorInfo.get(x.dataId)!.backend.incRef(x.dataId);
    return engine.makeTensorFromTensorInfo(x);
  };
}

/** The engine makes five functions for a kernel, and the name that it looks it up by twice. */
function runInOneCall(engine: Internals, kernels: KernelRegistry): void {
  const runKernel = engine.runKernel.bind(engine);
  const keys = new Map<string, Map<string, string>>();
  const keysOf = (backend: string): Map<string, string> => {
    const known = keys.get(backend) ?? new Map<string, string>();
    keys.set(backend, known);
    return known;
  };
  const find = (backend: string, name: string) => {
    const ofBackend = keys.get(backend) ?? keysOf(backend);
    let key = ofBackend.get(name);
    if (key === undefined) {
      key = `${backend}_${name}`;
      ofBackend.set(name, key);
    }
    return kernels.get(key);
  };
  const asTensor = (out: tf.TensorInfo): tf.Tensor =>
    (out as tf.Tensor).rank == null ? engine.makeTensorFromTensorInfo(out) : (out as tf.Tensor);

  engine.runKernel = (name, inputs, attrs) => {
    const { ENV, state, backendName, backendInstance } = engine;
    const kernel = backendInstance && find(backendName, name);
    // what is rare, or wrong, is the engine's own
    if (!kernel || state.profiling || ENV.getBool('DEBUG') || ENV.getBool('IS_TEST')) {
      return runKernel(name, inputs, attrs);
    }
    const isRecorded = state.gradientDepth > 0 && state.kernelDepth === 0;
    let outputs: tf.Tensor[];
    let saved: tf.Tensor[] = [];
    let isList: boolean;
    // a kernel that runs others does not record them
    state.kernelDepth++;
    try {
      const out = kernel.kernelFunc({ inputs, attrs: attrs as tf.NamedAttrMap, backend: backendInstance });
      isList = Array.isArray(out);
      outputs = Array.isArray(out) ? out.map(asTensor) : [asTensor(out)];
      if (isRecorded) {
        saved = engine.saveTensorsForBackwardMode(engine.getTensorsForGradient(name, inputs, outputs));
      }
    } finally {
      state.kernelDepth--;
    }
    if (isRecorded) engine.addTapeNode(name, inputs, outputs, null, saved, attrs);
    return isList ? outputs : outputs[0]!;
  };
}

/** Most scopes end with one tensor, or with none: the engine makes a list and two sets of it. */
function endScopesOfOne(engine: Internals, isTensor: (value: unknown) => value is tf.Tensor): void {
  const endScope = engine.endScope.bind(engine);
  engine.endScope = (result) => {
    if (result != null && !isTensor(result)) return endScope(result);
    const { state } = engine;
    const scope = state.activeScope!;
    const keptId = result?.id;
    for (const tensor of scope.track) if (!tensor.kept && tensor.id !== keptId) tensor.dispose();
    state.scopeStack.pop();
    state.activeScope = state.scopeStack.at(-1) ?? null;
    if (result && !result.kept && (result as Tracked).scopeId === scope.id) engine.track(result);
  };
}
