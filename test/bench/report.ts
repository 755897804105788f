/** The middle of several timings in ms, after one that is not counted. */
export function medianMs(runs: number, f: () => void): number {
  f();
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    f();
    return performance.now() - start;
  }).sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] as number;
}

/** One line of a report: a name, and figures in columns. */
export function row(name: string, ...figures: string[]): void {
  console.log(`${name.padEnd(44)}${figures.map((figure) => figure.padStart(16)).join('')}`);
}
