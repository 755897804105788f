/**
 * Events of the process without a listener end it: `uncaughtException`, `unhandledRejection`. So the kernel's listeners
 * stay, also where a cell or a library removes all of them, as some test runners do.
 */
const METHODS = ['off', 'removeListener', 'removeAllListeners'] as const;

// biome-ignore lint/suspicious/noExplicitAny: events have arguments of all kinds
type Listener = (...args: any[]) => void;

/** Listens to events of the process for as long as it lives. Once per process. */
export function listenForever(listeners: Record<string, Listener>): void {
  const keep = () => {
    for (const [event, listener] of Object.entries(listeners)) {
      if (!process.listeners(event as 'exit').includes(listener)) process.on(event, listener);
    }
  };
  for (const name of METHODS) {
    const original = process[name] as Listener;
    const replacement = function (this: NodeJS.Process, ...args: unknown[]) {
      const result = original.apply(this, args);
      keep();
      return result;
    };
    Object.defineProperty(process, name, { value: replacement, writable: true, configurable: true });
  }
  keep();
}
