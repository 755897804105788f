/** Lets the event loop take a turn, so that signals, messages and what is shown are handled in a long computation. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    // a browser has no such function, and delays timers that follow each other
    const { setImmediate } = globalThis as { setImmediate?: (f: () => void) => void };
    if (setImmediate) return setImmediate(resolve);
    const { port1, port2 } = new MessageChannel();
    const arrived = () => {
      port1.close();
      resolve();
    };
    Object.assign(port1, { onmessage: arrived });
    port2.postMessage(null);
  });
}
