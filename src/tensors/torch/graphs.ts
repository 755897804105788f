import type { GraphDriver } from './graph-driver.js';
import type { Handle } from './library.js';

/** Operations that were captured once and run again as a whole, on the tensors that they had. */
export interface CapturedGraph<T> {
  readonly result: T;
  /** Runs them in the order of the stream; the host waits for nothing. */
  replay(): void;
  /** Frees the graph and every tensor of it. */
  dispose(): void;
}

/** What a capture asks of the tensors of torch. */
interface Capturing {
  /** Runs `f` and frees nothing of what it makes. */
  capturing<T>(f: () => T): { result: T; held: Handle[] };
  free(handle: Handle): void;
}

/**
 * Captures work on a GPU as CUDA graphs. torch's allocator does not know of it. So:
 * - a capture has a stream of its own, whose memory nothing else is given: what an operation frees inside of itself is
 *   used again by captures alone, and replays follow each other on the stream that everything else runs on;
 * - every handle that a capture makes, and one of each tensor that it is given, lives as long as the graph;
 * - the work is done once before, so that kernels are loaded and workspaces exist on that stream;
 * - nothing in it may read from the host, or write to it.
 */
export class Graphs {
  readonly #torch: Capturing;
  readonly #driver: GraphDriver;
  #stream: number | undefined;

  constructor(torch: Capturing, driver: GraphDriver) {
    this.#torch = torch;
    this.#driver = driver;
  }

  /**
   * @param f the work, the same each time; done twice, once to warm up
   * @param drop frees what the first one gave
   * @throws when something in it cannot be captured; nothing is left behind
   */
  capture<T>(f: () => T, drop: (result: T) => void): CapturedGraph<T> {
    const [torch, driver] = [this.#torch, this.#driver];
    this.#stream ??= driver.poolStream();
    const stream = this.#stream;
    const before = driver.currentStream();
    driver.synchronize();
    driver.setStream(stream);
    let held: Handle[] = [];
    try {
      drop(f());
      driver.synchronize();
      driver.begin(stream);
      let result: T;
      try {
        ({ result, held } = torch.capturing(f));
      } catch (error) {
        abandon(driver, stream);
        throw error;
      }
      let graph: number;
      try {
        graph = driver.end(stream);
      } catch (error) {
        drop(result);
        throw error;
      }
      const owned = held;
      held = [];
      return {
        result,
        replay: () => driver.launch(graph, driver.currentStream()),
        dispose: () => {
          driver.synchronize(); // it may be running
          driver.destroy(graph);
          drop(result);
          for (const handle of owned) torch.free(handle);
        },
      };
    } finally {
      driver.setStream(before);
      for (const handle of held) torch.free(handle);
    }
  }
}

/** Ends a capture that failed, whose graph is of no use. */
function abandon(driver: GraphDriver, stream: number): void {
  try {
    driver.destroy(driver.end(stream));
  } catch {
    // it was invalid
  }
}
