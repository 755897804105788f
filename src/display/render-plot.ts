import { createHash } from 'node:crypto';
import { type Displayable, svgDisplay } from './displayable.js';
import { escapeXml } from './picture.js';
import type { PlotSpec } from './plots.js';

/**
 * Makes the ids of an SVG its own, so that several can stand in one page without clipping each other. Vega counts
 * on from plot to plot, so they are also numbered anew: the same plot is the same text every time.
 */
function withOwnIds(svg: string, spec: PlotSpec): string {
  const prefix = `p${createHash('sha1').update(JSON.stringify(spec)).digest('hex').slice(0, 8)}-`;
  const ids = [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!);
  const own = new Map(ids.map((id, i) => [id, prefix + i]));
  return svg
    .replace(/ id="([^"]+)"/g, (_, id: string) => ` id="${own.get(id)}"`)
    .replace(/url\((?:&quot;)?#([^)'"&]+)(?:&quot;)?\)/g, (_, id: string) => `url(#${own.get(id) ?? id})`);
}

/**
 * Draws a Vega-Lite plot as SVG, without a browser. Vega is loaded when the first plot is drawn.
 * @throws {Error} from Vega-Lite for a specification it does not understand.
 */
export async function renderPlot(spec: PlotSpec): Promise<string> {
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  const compiled = vegaLite.compile(spec as unknown as Parameters<typeof vegaLite.compile>[0]);
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none', logLevel: vega.Error });
  try {
    const title = typeof spec.title === 'string' ? spec.title : 'Plot';
    // the first run lays out with the legend's size not yet known: without a second the title may be cut off
    await view.runAsync();
    await view.resize().runAsync();
    const svg = await view.toSVG();
    return withOwnIds(svg, spec).replace(/<svg [^>]*>/, (tag) => {
      const scalable = tag
        .replace(/ xmlns:xlink="[^"]*"/, '')
        .replace('<svg ', '<svg role="img" style="max-width:100%;height:auto" ');
      return `${scalable}<title>${escapeXml(title)}</title>`;
    });
  } finally {
    view.finalize();
  }
}

/** A plot to look at in a notebook. */
export async function showPlot(spec: PlotSpec): Promise<Displayable> {
  return svgDisplay(
    await renderPlot(spec),
    typeof spec.title === 'string' ? `[plot: ${spec.title}]` : '[plot]',
  );
}
