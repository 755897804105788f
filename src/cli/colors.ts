import pc from 'picocolors';
import { type ColorTarget, takesColors } from '../display/colors.js';

/** Colours for what is written to this stream. It is asked at every call, as the other one may be a file. */
export const colorsFor = (stream: ColorTarget) => pc.createColors(takesColors(stream));
