import type { Grid } from '../../src/arc/types.js';
import { ARC_PALETTE } from '../../src/display/palette.js';

/** Throws unless every tag is closed in order, attributes are quoted once each, and `&` and `<` are escaped. */
export function assertWellFormed(xml: string): void {
  const open: string[] = [];
  const rest = xml.replace(
    /<(\/?)([a-zA-Z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
    (_, closing: string, name: string, attributes: string, empty: string) => {
      const names = [...attributes.matchAll(/([\w:-]+)="/g)].map(([, attribute]) => attribute);
      if (new Set(names).size !== names.length) throw new Error(`an attribute twice: <${name}${attributes}>`);
      if (closing) {
        const last = open.pop();
        if (last !== name) throw new Error(`</${name}> closes <${last}>`);
      } else if (!empty) open.push(name);
      return '';
    },
  );
  if (open.length > 0) throw new Error(`never closed: ${open.join(', ')}`);
  if (/[<>]/.test(rest)) throw new Error(`a stray bracket: ${rest.slice(0, 80)}`);
  if (/&(?!(amp|lt|gt|quot|#39);)/.test(xml)) throw new Error('an unescaped &');
}

/** Paints the coloured rectangles of a grid's SVG and reads the cells back. */
export function paint(svg: string, height: number, width: number): Grid {
  const cells = Array.from({ length: height }, () => new Array<number>(width).fill(-1));
  for (const [, fill, d] of svg.matchAll(/<path fill="(#[0-9A-F]{6})" d="([^"]*)"/g)) {
    const color = ARC_PALETTE.indexOf(fill as (typeof ARC_PALETTE)[number]);
    for (const [, x, y, across, down] of d!.matchAll(/M(\d+) (\d+)h(\d+)v(\d+)h-\d+z/g)) {
      for (let r = Number(y); r < Number(y) + Number(down); r++) {
        cells[r]!.fill(color, Number(x), Number(x) + Number(across));
      }
    }
  }
  return cells;
}
