import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Makes an extension of JupyterLab of the front end of anywidget in its npm package, as its Python package has one:
 * a container of module federation that hands it `@jupyter-widgets/base` and registers its classes.
 * @returns the folder for JupyterLab's `extra_labextensions_path`
 */
export function anywidgetExtension(): string {
  const source = readFileSync(createRequire(import.meta.url).resolve('anywidget'), 'utf8');
  const extensions = mkdtempSync(join(tmpdir(), 'arclab-labextensions-'));
  const folder = join(extensions, 'anywidget');
  mkdirSync(join(folder, 'static'), { recursive: true });
  const build = { load: 'static/entry.js', extension: './extension' };
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'anywidget', version: '0.11.0', jupyterlab: { extension: true, _build: build } }),
  );
  writeFileSync(join(folder, 'static/entry.js'), container(source));
  return extensions;
}

function container(source: string): string {
  return `(() => {
    let scope;
    window._JUPYTERLAB = window._JUPYTERLAB || {};
    const load = async () => {
      const versions = Object.values(scope['@jupyter-widgets/base']);
      const base = (await versions[0].get())();
      let exports;
      const define = (_names, factory) => { exports = factory(base); };
      ${source}
      const activate = (_app, registry) => {
        registry.registerWidget({ name: 'anywidget', version: '0.11.0', exports });
      };
      const plugin = { id: 'anywidget:plugin', autoStart: true, requires: [base.IJupyterWidgetRegistry], activate };
      return () => ({ __esModule: true, default: plugin });
    };
    window._JUPYTERLAB.anywidget = { init: (shared) => { scope = shared; }, get: load };
  })();`;
}
