import koffi from 'koffi';
import type { Device } from '../device.js';
import { RESULT_SLOT, type TorchLibrary } from './library.js';

/** What CUDA graphs need of streams and of the driver. Streams and graphs are addresses; stream 0 is the default one. */
export interface GraphDriver {
  /** A stream beside the default one, on which nothing may be captured. */
  poolStream(): number;
  /** The stream that operations run on. */
  currentStream(): number;
  setStream(stream: number): void;
  /** Waits for everything that the GPU was given. */
  synchronize(): void;
  begin(stream: number): void;
  /** Ends a capture. @returns what can be launched */
  end(stream: number): number;
  launch(graph: number, stream: number): void;
  destroy(graph: number): void;
}

/** CU_STREAM_CAPTURE_MODE_RELAXED: torch's allocator may ask for memory during a capture. */
const RELAXED = 2;

/**
 * Graphs through the driver (libcuda), which is the same for every release of the runtime (libcudart) that a torch may
 * bring: a stream of one is a stream of the other. Undefined where a function is absent.
 */
export function cudaGraphDriver(torch: {
  readonly library: TorchLibrary;
  readonly device: Device;
  cudaStream(): number;
}): GraphDriver | undefined {
  const { library, device } = torch;
  const needed = ['torch_get_cuda_stream_from_pool', 'torch_set_current_cuda_stream'];
  if (device.type !== 'cuda' || !needed.every((name) => library.has(name))) return undefined;
  const poolStream = library.checked('int32_t torch_get_cuda_stream_from_pool(uint8_t, int32_t, uintptr_t)');
  const setStream = library.checked('int32_t torch_set_current_cuda_stream(uintptr_t, int32_t)');
  let driver: ReturnType<typeof koffi.load>;
  try {
    driver = koffi.load('libcuda.so.1');
  } catch {
    return undefined;
  }
  const bind = (name: string, parameters: string) => {
    const f = driver.func(`int ${name}(${parameters})`);
    return (...args: unknown[]): void => {
      const code = f(...args) as number;
      if (code !== 0) throw new Error(`the NVIDIA driver failed in ${name} with error ${code}`);
    };
  };
  const synchronize = bind('cuCtxSynchronize', '');
  const begin = bind('cuStreamBeginCapture_v2', 'uintptr_t, int');
  const end = bind('cuStreamEndCapture', 'uintptr_t, _Out_ uintptr_t*');
  const instantiate = bind('cuGraphInstantiateWithFlags', '_Out_ uintptr_t*, uintptr_t, uint64_t');
  const launch = bind('cuGraphLaunch', 'uintptr_t, uintptr_t');
  const destroy = bind('cuGraphExecDestroy', 'uintptr_t');
  const forget = bind('cuGraphDestroy', 'uintptr_t');
  return {
    poolStream() {
      torch.cudaStream(); // the device becomes the current one
      poolStream(0, device.index, library.slot(RESULT_SLOT));
      return library.getInt(RESULT_SLOT);
    },
    currentStream: () => torch.cudaStream(),
    setStream: (stream) => setStream(stream, device.index),
    synchronize: () => synchronize(),
    begin: (stream) => begin(stream, RELAXED),
    end(stream) {
      const graph: (number | bigint)[] = [0];
      end(stream, graph);
      const made: (number | bigint)[] = [0];
      try {
        instantiate(made, graph[0], 0);
      } finally {
        forget(graph[0]);
      }
      return Number(made[0]);
    },
    launch: (graph, stream) => launch(graph, stream),
    destroy: (graph) => destroy(graph),
  };
}
