/** Templates are bundled as text. */
declare module '*.njk' {
  const text: string;
  export default text;
}

/** Kernels of the WebGPU backend are bundled as text. */
declare module '*.wgsl' {
  const text: string;
  export default text;
}

/** Set by the build from package.json. */
declare const __ARCLAB_VERSION__: string | undefined;

/** Made while a Kaggle notebook is built: the check of each JSON Schema under its key. */
declare module 'compiled-validators' {}

/** ajv's checks as the text of a module; its own declaration lies at an address without an extension. */
declare module 'ajv/dist/standalone/index.js' {
  import type { Ajv } from 'ajv';

  const standaloneCode: (ajv: Ajv, names: Readonly<Record<string, string>>) => string;
  export default standaloneCode;
}
