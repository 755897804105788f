/** Values of a tensor as the addon takes and gives them. */
export type NumericArray = Float32Array | Int32Array | Uint8Array;

/** An attribute of an operation; `type` is one of the addon's TF_ATTR_ numbers. */
export interface Attribute {
  name: string;
  type: number;
  value: unknown;
}

/** What the addon tells of a result: `id` is its own number for the tensor, `dtype` TensorFlow's. */
export interface AddonTensor {
  id: number;
  shape: number[];
  dtype: number;
}

/** The native addon of tfjs-node, as far as it is used: TensorFlow's eager interface. */
export interface Binding {
  /** Takes the array over without a copy: it must not be written to afterwards. */
  createTensor(shape: number[], dtype: number, values: NumericArray): number;
  deleteTensor(id: number): void;
  /** A copy of the values; 64-bit integers come as BigInt64Array. */
  tensorDataSync(id: number): NumericArray | BigInt64Array;
  executeOp(name: string, attributes: Attribute[], inputs: number[], outputs: number): AddonTensor[];
  getNumOfTensors(): number;
  isUsingGpuDevice(): boolean;
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_INT64: number;
  readonly TF_BOOL: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_TYPE: number;
}
