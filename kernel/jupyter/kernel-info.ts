import { PROTOCOL_VERSION } from './wire.js';

/** The answer to `kernel_info_request`. */
export function kernelInfo(): object {
  const version = typeof __ARCLAB_VERSION__ === 'string' ? __ARCLAB_VERSION__ : 'development';
  return {
    status: 'ok',
    protocol_version: PROTOCOL_VERSION,
    implementation: 'arclab',
    implementation_version: version,
    language_info: {
      name: 'typescript',
      version: process.versions.node,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      codemirror_mode: { name: 'javascript', typescript: true },
      nbconvert_exporter: 'script',
    },
    banner: `arclab ${version}: TypeScript on Node ${process.versions.node}`,
    debugger: true,
    supported_features: ['debugger', 'kernel subshells'],
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'Node.js', url: 'https://nodejs.org/docs/latest-v20.x/api/' },
    ],
  };
}
