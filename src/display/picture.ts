import { INK } from './palette.js';

/** A rectangle of SVG elements, width and height in pixels; its own top left corner is the origin. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly body: string;
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text made safe between tags and in attributes of SVG and HTML. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A number with at most two decimals, as short as it can be. */
export function short(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** How a line of text looks. */
export interface TextOptions {
  /** Height of the letters' box, in pixels. */
  size?: number;
  color?: string;
  weight?: number;
}

/** One line of text. Its width is an estimate: SVG knows the font only when it is drawn. */
export function textPicture(
  text: string,
  { size = 12, color = INK, weight = 400 }: TextOptions = {},
): Picture {
  const bold = weight === 400 ? '' : ` font-weight="${weight}"`;
  return {
    width: Math.ceil([...text].length * size * 0.58),
    height: Math.ceil(size * 1.4),
    body: `<text y="${short(size)}" font-size="${size}" font-family="system-ui,sans-serif" fill="${color}"${bold}>${escapeXml(text)}</text>`,
  };
}

/** Where things stand across the direction of a stack. */
export type Align = 'start' | 'center' | 'end';

function offset(free: number, align: Align): number {
  return align === 'start' ? 0 : align === 'end' ? free : free / 2;
}

function place({ body }: Picture, x: number, y: number): string {
  return x === 0 && y === 0 ? body : `<g transform="translate(${short(x)} ${short(y)})">${body}</g>`;
}

/** Pictures from left to right. */
export function row(pictures: readonly Picture[], gap = 8, align: Align = 'center'): Picture {
  const height = Math.max(0, ...pictures.map((picture) => picture.height));
  let width = 0;
  let body = '';
  for (const [i, picture] of pictures.entries()) {
    if (i > 0) width += gap;
    body += place(picture, width, offset(height - picture.height, align));
    width += picture.width;
  }
  return { width, height, body };
}

/** Pictures from top to bottom. */
export function column(pictures: readonly Picture[], gap = 8, align: Align = 'center'): Picture {
  const width = Math.max(0, ...pictures.map((picture) => picture.width));
  let height = 0;
  let body = '';
  for (const [i, picture] of pictures.entries()) {
    if (i > 0) height += gap;
    body += place(picture, offset(width - picture.width, align), height);
    height += picture.height;
  }
  return { width, height, body };
}

/** Pictures in rows that are at most `width` wide (a single wider one has its row alone). */
export function flow(pictures: readonly Picture[], width: number, gap = 16, align: Align = 'end'): Picture {
  const rows: Picture[][] = [];
  let used = 0;
  for (const picture of pictures) {
    const last = rows.at(-1);
    if (last === undefined || used + gap + picture.width > width) {
      rows.push([picture]);
      used = picture.width;
    } else {
      last.push(picture);
      used += gap + picture.width;
    }
  }
  return column(
    rows.map((line) => row(line, gap, align)),
    gap,
    'start',
  );
}

/** An arrow to the right. */
export function arrow(): Picture {
  return {
    width: 18,
    height: 12,
    body: `<path d="M1 6h15M11 1l5 5-5 5" fill="none" stroke="${INK}" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/>`,
  };
}

/** A whole SVG file: scalable (it has a viewBox and shrinks with its place) and readable aloud (it has a title). */
export function toSvg({ width, height, body }: Picture, title: string): string {
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 ${short(width)} ${short(height)}" ` +
    `width="${short(width)}" height="${short(height)}" style="max-width:100%;height:auto">` +
    `<title>${escapeXml(title)}</title>${body}</svg>`
  );
}
