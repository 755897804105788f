import type { Debugger, Runtime } from 'node:inspector';
import type { ScriptPlace } from '../engine/debug-view.js';
import { type Breakable, breakableFrom } from './breakable.js';
import type { Inspector } from './inspector.js';

/** Around a cell's code, so that it is compiled and does not run. */
const HEAD = '(async()=>{';
const TAIL = '\n})';

/** Where a cell that has not run will be able to stop; undefined where its code cannot be compiled. */
export async function breakableOfDraft(inspector: Inspector, code: string): Promise<Breakable[] | undefined> {
  const javascript = await inspector.view<string | null>('draft', code);
  if (javascript === null) return undefined;
  const objectGroup = 'draft';
  const { result } = await inspector.send<Runtime.EvaluateReturnType>('Runtime.evaluate', {
    expression: HEAD + javascript + TAIL,
    objectGroup,
    silent: true,
  });
  if (result.type !== 'function') return undefined;
  try {
    const { internalProperties = [] } = await inspector.send<Runtime.GetPropertiesReturnType>(
      'Runtime.getProperties',
      { objectId: result.objectId, ownProperties: true },
    );
    const location = internalProperties.find(({ name }) => name === '[[FunctionLocation]]')!.value!.value;
    const start = { scriptId: location.scriptId, lineNumber: 0, columnNumber: HEAD.length };
    const { locations } = await inspector.send<Debugger.GetPossibleBreakpointsReturnType>(
      'Debugger.getPossibleBreakpoints',
      { start },
    );
    const ats = locations.map(({ lineNumber, columnNumber = 0 }) => ({
      lineNumber,
      columnNumber: lineNumber === 0 ? columnNumber - HEAD.length : columnNumber,
    }));
    const places: ScriptPlace[] = ats.map(({ lineNumber, columnNumber }) => [lineNumber, columnNumber]);
    return breakableFrom(ats, await inspector.view('draftPlaces', code, places));
  } finally {
    await inspector.send('Runtime.releaseObjectGroup', { objectGroup });
  }
}
