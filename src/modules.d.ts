/** Templates are bundled as text. */
declare module '*.njk' {
  const text: string;
  export default text;
}

/** Set by the build from package.json. */
declare const __ARCLAB_VERSION__: string | undefined;
