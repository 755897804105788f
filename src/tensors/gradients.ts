import * as tf from './tf.js';

/** The parts of tfjs' engine that record and walk a tape. */
interface TapeEngine {
  readonly state: { activeTape: tf.TapeNode[] | null; gradientDepth: number };
  startTape(): void;
  endTape(): void;
}

/** Whether operations are being recorded, to be differentiated. */
export function isRecording(): boolean {
  return (tf.engine() as unknown as TapeEngine).state.gradientDepth > 0;
}

/**
 * The value of `f` and its gradients with respect to variables, as `tf.variableGrads` gives them, in a fraction of
 * the memory: tfjs keeps the gradient of every intermediate result, and everything that was saved for them, until the
 * whole pass is done. Here both are freed as soon as the node that needed them has been passed.
 * @returns gradients by `variable.name`; none for a variable that the value does not depend on
 */
export function variableGrads(
  f: () => tf.Scalar,
  variables: readonly tf.Variable[],
): { value: tf.Scalar; grads: tf.NamedTensorMap } {
  if (isRecording()) throw new Error('variableGrads: gradients of gradients are not supported');
  const { value, gradients } = differentiate(f, variables, (y) => tf.ones(y.shape));
  const grads: tf.NamedTensorMap = {};
  for (const [i, variable] of variables.entries()) {
    const gradient = gradients[i];
    if (gradient) grads[variable.name] = gradient;
  }
  return { value, grads };
}

/**
 * f(x) of which only x is kept for the gradient: what f makes in between is made again when the gradient is asked for
 * (Chen et al. 2016). The gradient is the same to the bit, given that f makes the same both times.
 * @param f is told whether it runs for the second time
 * @param constants tensors that f uses and that have no gradient, handed to it so that they are kept
 * @param variables what f uses and training changes
 */
export function checkpoint<T extends tf.Tensor>(
  f: (x: T, constants: readonly tf.Tensor[], again: boolean) => T,
  x: T,
  constants: readonly tf.Tensor[],
  variables: readonly tf.Variable[],
): T {
  const operation = tf.customGrad((...parameters) => {
    const save = parameters.at(-1) as unknown as (tensors: readonly tf.Tensor[]) => void;
    save([x, ...constants]);
    return {
      value: f(x, constants, false),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [input, ...others] = saved as [T, ...tf.Tensor[]];
        const leaves = [input, ...variables];
        const { value, gradients } = differentiate(
          () => f(input, others, true),
          leaves,
          () => dy.clone(),
        );
        value.dispose();
        return gradients.map((gradient, i) => gradient ?? tf.zerosLike(leaves[i] as tf.Tensor));
      },
    };
  });
  return operation(x, ...variables) as T;
}

/** The value of f and its gradients with respect to some of the tensors that it uses, given that of the value. */
function differentiate<T extends tf.Tensor>(
  f: () => T,
  leaves: readonly tf.Tensor[],
  gradientOf: (value: T) => tf.Tensor,
): { value: T; gradients: (tf.Tensor | undefined)[] } {
  const engine = tf.engine() as unknown as TapeEngine;
  const outer = engine.state.activeTape;
  engine.startTape();
  // the engine adds to this list while `f` runs
  const tape = engine.state.activeTape as tf.TapeNode[];
  try {
    const value = record(engine, f);
    const path = pathBetween(tape, leaves, value);
    for (const node of tape) if (!path.nodes.has(node)) freeSaved(node);
    return tf.tidy(() => {
      const found = backpropagate(path, value, gradientOf(value));
      return { value, gradients: leaves.map(({ id }) => found.get(id)) };
    }) as { value: T; gradients: (tf.Tensor | undefined)[] };
  } finally {
    for (const node of tape) freeSaved(node);
    engine.state.activeTape = outer;
  }
}

/** Runs `f` on the tape that was started, and ends it. */
function record<T extends tf.Tensor>(engine: TapeEngine, f: () => T): T {
  try {
    return tf.tidy(f);
  } finally {
    engine.endTape();
  }
}

/** What lies between the leaves and the value. */
interface TapePath {
  /** In the order in which they ran. */
  readonly nodes: ReadonlySet<tf.TapeNode>;
  /** Ids of the tensors that depend on a leaf, and of the leaves. */
  readonly dependent: ReadonlySet<number>;
}

/** The nodes that depend on a leaf and that the value depends on; tfjs' own search copies each of them several times. */
function pathBetween(tape: readonly tf.TapeNode[], leaves: readonly tf.Tensor[], value: tf.Tensor): TapePath {
  const dependent = new Set(leaves.map(({ id }) => id));
  for (const { inputs, outputs } of tape) {
    if (anyOf(inputs, dependent)) for (const { id } of outputs) dependent.add(id);
  }
  const wanted = new Set([value.id]);
  const backwards: tf.TapeNode[] = [];
  for (let i = tape.length - 1; i >= 0; i--) {
    const node = tape[i] as tf.TapeNode;
    if (!node.outputs.some(({ id }) => wanted.has(id)) || !anyOf(node.inputs, dependent)) continue;
    for (const name in node.inputs) wanted.add((node.inputs[name] as tf.Tensor).id);
    backwards.push(node);
  }
  return { nodes: new Set(backwards.reverse()), dependent };
}

function anyOf(tensors: tf.NamedTensorMap, ids: ReadonlySet<number>): boolean {
  for (const name in tensors) if (ids.has((tensors[name] as tf.Tensor).id)) return true;
  return false;
}

/** Walks the path backwards; gradients by tensor id, those of the leaves only. */
function backpropagate(
  { nodes, dependent }: TapePath,
  value: tf.Tensor,
  gradient: tf.Tensor,
): Map<number, tf.Tensor> {
  const gradients = new Map<number, tf.Tensor>([[value.id, gradient]]);
  for (const node of [...nodes].reverse()) {
    if (!node.gradient) throw new Error(`kernel ${node.kernelName} has no gradient`);
    const dys = node.outputs.map(({ id }) => gradients.get(id) ?? null);
    const functions = node.gradient(dys as tf.Tensor[]);
    for (const [name, x] of Object.entries(node.inputs)) {
      if (!dependent.has(x.id)) continue;
      const compute = functions[name];
      if (!compute) throw new Error(`kernel ${node.kernelName} has no gradient for its input ${name}`);
      let dx = tf.tidy(compute);
      // a gradient that is handed through must outlive the one that it came from
      if (dys.includes(dx)) dx = dx.clone();
      const before = gradients.get(x.id);
      gradients.set(x.id, before ? tf.add(before, dx) : dx);
      if (before) tf.dispose([before, dx]);
    }
    for (const { id } of node.outputs) {
      gradients.get(id)?.dispose();
      gradients.delete(id);
    }
    freeSaved(node);
  }
  return gradients;
}

function freeSaved(node: tf.TapeNode): void {
  for (const tensor of node.saved ?? []) tensor.dispose();
}
