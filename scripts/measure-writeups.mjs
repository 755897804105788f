// `node scripts/measure-writeups.mjs FOLDER [--default option=value] [--list]`: what an import accepts of a folder of
// Markdown, after `npm run build`.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const outfile = join(root, 'dist/test/measure-writeups.cjs');
await build({
  absWorkingDir: root,
  entryPoints: ['test/bench/writeups.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  mainFields: ['module', 'main'],
  external: ['koffi', 'vega', 'vega-lite', 'esbuild', '7z-wasm', 'zeromq', 'amaro', 'typescript'],
  define: { 'import.meta.url': '__importMetaUrl' },
  banner: { js: "const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  loader: { '.njk': 'text', '.jinja': 'text', '.wgsl': 'text' },
  logLevel: 'warning',
});
await import(outfile);
