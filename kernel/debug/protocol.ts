/**
 * The parts of the Debug Adapter Protocol that the kernel speaks (microsoft.github.io/debug-adapter-protocol), and
 * what Jupyter adds to it (JEP 47): debugInfo, dumpCell, inspectVariables, richInspectVariables, copyToGlobals.
 */
import type { MimeBundle } from '../contract.js';

export type Arguments = Record<string, unknown>;

export interface DebugResponse {
  type: 'response';
  seq: number;
  request_seq: number;
  success: boolean;
  command: string;
  /** Why it did not work. */
  message?: string;
  body?: object;
}

export interface DebugEvent {
  type: 'event';
  seq: number;
  event: 'initialized' | 'stopped' | 'continued' | 'breakpoint' | 'terminated';
  body?: object;
}

export interface Source {
  /** A file, or the name of a cell made of the hash of its code. */
  path: string;
  name?: string;
}

export interface SourceBreakpoint {
  line: number;
  column?: number;
  /** TypeScript; the breakpoint stops only where it is true. */
  condition?: string;
}

export interface Breakpoint {
  id: number;
  /** Whether code stands there that can stop. */
  verified: boolean;
  line: number;
  column?: number;
  source: Source;
  message?: string;
}

export interface StackFrame {
  id: number;
  name: string;
  line: number;
  column: number;
  source: Source & { sourceReference: number; presentationHint?: 'deemphasize' };
  /** `subtle` is a frame of an installed package. */
  presentationHint?: 'subtle';
}

export interface Scope {
  name: string;
  variablesReference: number;
  expensive: boolean;
  presentationHint?: 'locals';
}

export interface Variable {
  name: string;
  value: string;
  /**
   * JupyterLab knows `int`, `float`, `bool` and `str`, and shows the value of nothing else but the type, so numbers
   * and strings have Python's names and for objects this is the constructor with the size, `Array(3)`.
   */
  type: string;
  /** What `variables` lists the children of; 0 for none. */
  variablesReference: number;
  /** An expression for the same value. */
  evaluateName?: string;
  namedVariables?: number;
  indexedVariables?: number;
  presentationHint?: { kind?: string; attributes?: string[]; lazy?: boolean };
}

export interface RichVariable {
  data: MimeBundle;
  metadata: MimeBundle;
}

/** A request that cannot be served; its message is for the person. */
export class DebugError extends Error {}

/** The one thread that is debugged: the one that runs cells. */
export const THREAD = { id: 1, name: 'MainThread' };

/** What `initialize` answers. */
export const CAPABILITIES = {
  supportsConfigurationDoneRequest: true,
  supportsConditionalBreakpoints: true,
  supportsEvaluateForHovers: true,
  supportsExceptionInfoRequest: true,
  supportsModulesRequest: true,
  supportsTerminateDebuggee: false,
  exceptionBreakpointFilters: [
    {
      filter: 'all',
      label: 'All exceptions',
      default: false,
      description: 'Stops wherever an error is thrown.',
    },
    {
      filter: 'uncaught',
      label: 'Uncaught exceptions',
      default: false,
      description: 'Stops where an error is thrown that nothing catches: the cell would fail.',
    },
  ],
};
