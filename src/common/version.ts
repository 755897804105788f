/** The version of this package; `development` where the source runs without a build. */
export const arclabVersion = (): string =>
  typeof __ARCLAB_VERSION__ === 'string' ? __ARCLAB_VERSION__ : 'development';
