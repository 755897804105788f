import { randomUUID } from 'node:crypto';
import type { Emit } from './display.js';
import { base64 } from './images.js';
import { tslabKinds } from './tslab-kinds.js';

type Shown = string | Uint8Array;

/** What `import * as tslab from 'tslab'` gives: tslab's own names, so that its notebooks run unchanged. */
export interface Tslab {
  readonly display: TslabDisplay;
  newDisplay(): TslabDisplay;
  /** Asks the person for a line. */
  prompt(text?: string, options?: { password?: boolean }): Promise<string>;
  readonly versions: { tslab: string; typescript: string; node: string };
}

type Content<Parameter extends string> = Parameter extends `${string}: Uint8Array` ? Uint8Array : string;

/** One function per kind of content. A display of `newDisplay()` replaces what it has shown before. */
export type TslabDisplay = {
  [Kind in keyof typeof tslabKinds]: (content: Content<(typeof tslabKinds)[Kind][1]>) => void;
} & { raw(mimeType: string, content: Shown): void };

/** tslab's display functions on top of this kernel. */
export function createTslab(emit: Emit, readLine: (prompt: string, password: boolean) => string): Tslab {
  return {
    display: createDisplay(emit, undefined),
    newDisplay: () => createDisplay(emit, randomUUID()),
    prompt: async (text = '', { password = false } = {}) => readLine(text, password),
    versions: { tslab: '1.0.22', typescript: '5.9', node: process.version },
  };
}

function createDisplay(emit: Emit, displayId: string | undefined): TslabDisplay {
  let wasShown = false;
  const raw = (mimeType: string, content: Shown): void => {
    const data = { [mimeType]: typeof content === 'string' ? content : base64(content) };
    if (displayId !== undefined && wasShown) {
      emit({ type: 'update_display_data', data, metadata: {}, displayId });
      return;
    }
    wasShown = true;
    emit({ type: 'display_data', data, metadata: {}, displayId });
  };
  const kinds = Object.entries(tslabKinds).map(([kind, [mimeType]]) => [
    kind,
    (content: Shown) => raw(mimeType, content),
  ]);
  return { ...Object.fromEntries(kinds), raw };
}
