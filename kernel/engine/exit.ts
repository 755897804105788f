/** What Node's own `process.exit` calls at last. */
interface ReallyExiting {
  reallyExit(code?: number): never;
}

const exit = process.exit.bind(process);
const exiting = process as unknown as ReallyExiting;
const { reallyExit } = exiting;

/** Lets `process.exit` of a cell call `onExit`, which must not return. */
export function installExit(onExit: (code: number) => never): void {
  process.exit = ((code?: number | string | null) => onExit(Number(code ?? process.exitCode ?? 0))) as never;
  process.abort = (() => onExit(134)) as never;
  exiting.reallyExit = (code = 0) => onExit(code);
}

/** Ends the process, whatever cells have made of `process.exit`. */
export function exitProcess(code: number): never {
  exiting.reallyExit = reallyExit;
  return exit(code);
}
