const reallyExit = process.exit.bind(process);

/** Lets `process.exit` of a cell call `onExit`, which must not return. */
export function installExit(onExit: (code: number) => never): void {
  process.exit = ((code?: number | string | null) => onExit(Number(code ?? process.exitCode ?? 0))) as never;
  process.abort = (() => onExit(134)) as never;
}

/** Ends the process, whatever cells have made of `process.exit`. */
export function exitProcess(code: number): never {
  return reallyExit(code);
}
