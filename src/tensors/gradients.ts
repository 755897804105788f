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
  const engine = tf.engine() as unknown as TapeEngine;
  if (engine.state.gradientDepth > 0)
    throw new Error('variableGrads: gradients of gradients are not supported');
  engine.startTape();
  // the engine adds to this list while `f` runs
  const tape = engine.state.activeTape as tf.TapeNode[];
  try {
    const value = record(engine, f);
    const path = tf.getFilteredNodesXToY(tape, [...variables], value);
    const onPath = new Set(path.map(({ id }) => id));
    for (const node of tape) if (!onPath.has(node.id)) freeSaved(node);
    return tf.tidy(() => {
      const gradients = backpropagate(path, value);
      const grads: tf.NamedTensorMap = {};
      for (const variable of variables) {
        const gradient = gradients.get(variable.id);
        if (gradient) grads[variable.name] = gradient;
      }
      return { value, grads };
    });
  } finally {
    for (const node of tape) freeSaved(node);
    engine.state.activeTape = null;
  }
}

/** Runs `f` on the tape that was started, and ends it. */
function record(engine: TapeEngine, f: () => tf.Scalar): tf.Scalar {
  try {
    return tf.tidy(f);
  } finally {
    engine.endTape();
  }
}

/** Walks the tape backwards; gradients by tensor id, those of the leaves only. */
function backpropagate(path: readonly tf.TapeNode[], value: tf.Scalar): Map<number, tf.Tensor> {
  const gradients = new Map<number, tf.Tensor>([[value.id, tf.ones(value.shape)]]);
  for (const node of path.toReversed()) {
    if (!node.gradient) throw new Error(`kernel ${node.kernelName} has no gradient`);
    const dys = node.outputs.map(({ id }) => gradients.get(id) ?? null);
    const functions = node.gradient(dys as tf.Tensor[]);
    for (const [name, x] of Object.entries(node.inputs)) {
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
