/** The element types that a backend may keep a float32 tensor of tfjs in, as PyTorch names them. */
export const floatTypes = ['float32', 'bfloat16', 'float16'] as const;
export type FloatType = (typeof floatTypes)[number];
