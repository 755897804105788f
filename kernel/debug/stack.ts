import type { Debugger } from 'node:inspector';
import type { Scope, StackFrame } from './protocol.js';
import type { Script, Scripts } from './scripts.js';
import type { Holder } from './variables.js';

/** A frame of a stopped program that is shown to the user. */
export interface Frame {
  script: Script;
  call: Debugger.CallFrame;
  /** In the TypeScript, from 0; null where the kernel added the code. */
  place: [line: number, column: number] | null;
}

/** The frames of the person's code and of packages; those of the kernel and of Node are left out. */
export async function framesOf(scripts: Scripts, calls: readonly Debugger.CallFrame[]): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (const call of calls) {
    const { scriptId, lineNumber, columnNumber = 0 } = call.location;
    const script = await scripts.get(scriptId);
    if (script?.path === undefined) continue;
    const [place] = await scripts.places(script, [[lineNumber, columnNumber]]);
    frames.push({ script, call, place: place ?? null });
  }
  return frames;
}

/** Whether a frame is that of a whole script and not of a function. */
export function isTopLevel({ scopeChain }: Debugger.CallFrame): boolean {
  return !scopeChain.some(({ type }) => type === 'local');
}

/** A frame as clients see it. */
export function stackFrame({ script, call, place }: Frame, id: number): StackFrame {
  const [line, column] = place ?? [0, 0];
  const frame: StackFrame = {
    id,
    name: call.functionName || (isTopLevel(call) ? script.name : '(anonymous)'),
    line: line + 1,
    column: column + 1,
    source: { path: script.path!, name: script.name, sourceReference: 0 },
  };
  if (!script.isForeign) return frame;
  return {
    ...frame,
    presentationHint: 'subtle',
    source: { ...frame.source, presentationHint: 'deemphasize' },
  };
}

/**
 * The scopes of a frame. Those of the innermost function are one, whose names are what a person sees there; what
 * cells have declared has the name that JupyterLab knows.
 */
export function scopesOf({ call }: Frame, hold: (holder: Holder) => number): Scope[] {
  const { scopeChain, this: self, returnValue } = call;
  const end = scopeChain.findIndex(({ type }) => !/^(block|catch|local|eval|with)$/.test(type));
  const inner = scopeChain.slice(0, end === -1 ? scopeChain.length : end);
  const outer = end === -1 ? [] : scopeChain.slice(end);
  const scopes: Scope[] = [];
  if (inner.length > 0) {
    const isFunction = inner.some(({ type }) => type === 'local');
    const extras = { self: isFunction && self.type !== 'undefined' ? self : undefined, returnValue };
    const variablesReference = hold({ kind: 'scopes', scopes: inner, ...extras });
    scopes.push({ name: 'Locals', variablesReference, expensive: false, presentationHint: 'locals' });
  }
  let closures = 0;
  for (const scope of outer) {
    if (scope.type !== 'closure' && scope.type !== 'module') continue;
    const name = scope.type === 'module' ? 'Module' : `Closure${++closures > 1 ? ` ${closures}` : ''}`;
    scopes.push({ name, variablesReference: hold({ kind: 'scopes', scopes: [scope] }), expensive: false });
  }
  scopes.push({ name: 'Globals', variablesReference: hold({ kind: 'globals' }), expensive: false });
  return scopes;
}
