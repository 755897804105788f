import type { MimeBundle } from '../contract.js';
import { call, hasMethods, property } from './property.js';

/** Bytes as Jupyter carries them. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** An image by its bytes; undefined where they are none. */
export function imageBundle(bytes: Uint8Array): MimeBundle | undefined {
  const type = imageType(bytes);
  return type === undefined
    ? undefined
    : { [type]: base64(bytes), 'text/plain': `[${type}, ${bytes.length} bytes]` };
}

/** The MIME type of an image by its first bytes. */
function imageType(bytes: Uint8Array): string | undefined {
  const starts = (...head: number[]) => head.every((byte, i) => bytes[i] === byte);
  if (starts(0x89, 0x50, 0x4e, 0x47)) return 'image/png';
  if (starts(0xff, 0xd8, 0xff)) return 'image/jpeg';
  if (starts(0x47, 0x49, 0x46, 0x38)) return 'image/gif';
  if (starts(0x52, 0x49, 0x46, 0x46) && bytes[8] === 0x57 && bytes[9] === 0x45) return 'image/webp';
  return undefined;
}

/** Images in the form of bytes: arrays, buffers, blobs. */
export function formatImage(value: unknown): MimeBundle | Promise<MimeBundle> | undefined {
  if (value instanceof Uint8Array) return imageBundle(value);
  if (value instanceof ArrayBuffer) return imageBundle(new Uint8Array(value));
  if (value instanceof Blob && value.type.startsWith('image/')) {
    return value.arrayBuffer().then((buffer) => orText(imageBundle(new Uint8Array(buffer)), value));
  }
  return undefined;
}

/** What draws: a canvas (`toDataURL`, or `toBuffer` with an image's type), and `sharp`, which has a promise of bytes. */
export function formatCanvas(value: unknown): MimeBundle | Promise<MimeBundle> | undefined {
  const isCanvas = hasMethods(value, 'getContext');
  const isSharp = hasMethods(value, 'toBuffer', 'toFormat', 'metadata');
  if (isCanvas && hasMethods(value, 'toDataURL')) {
    return whenThere(call(value, 'toDataURL', 'image/png'), value, (url) => {
      const match = typeof url === 'string' && /^data:(image\/[\w.+-]+);base64,(.*)$/s.exec(url);
      return match ? { [match[1]!]: match[2], 'text/plain': sizeOf(value, match[1]!) } : undefined;
    });
  }
  if ((isCanvas && hasMethods(value, 'toBuffer')) || isSharp) {
    const bytes = isCanvas
      ? call(value, 'toBuffer', 'image/png')
      : call(call(call(value, 'clone'), 'png'), 'toBuffer');
    return whenThere(bytes, value, (data) => (data instanceof Uint8Array ? imageBundle(data) : undefined));
  }
  return undefined;
}

function sizeOf(canvas: unknown, type: string): string {
  const [width, height] = [property(canvas, 'width'), property(canvas, 'height')];
  return typeof width === 'number' && typeof height === 'number'
    ? `[${type}, ${width} × ${height}]`
    : `[${type}]`;
}

/** Some libraries have their bytes at once, others give a promise. */
function whenThere(
  content: unknown,
  value: unknown,
  bundle: (content: unknown) => MimeBundle | undefined,
): MimeBundle | Promise<MimeBundle> | undefined {
  return content instanceof Promise ? content.then((there) => orText(bundle(there), value)) : bundle(content);
}

function orText(bundle: MimeBundle | undefined, value: unknown): MimeBundle {
  return bundle ?? { 'text/plain': String(value) };
}
