import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { messageOf } from '../common/errors.js';
import { initBackend, knownBackends } from '../tensors/backend.js';
import * as tf from '../tensors/tf.js';

/** One thing that was looked at. */
export interface Finding {
  name: string;
  /** `ok`: usable; `missing`: absent and optional; `broken`: there, but it does not work. */
  status: 'ok' | 'missing' | 'broken';
  found: string;
  /** What to do about it, when there is something to do. */
  advice?: string;
}

const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
/** Node's lowest version that arclab runs on. */
const NODE_FLOOR = [20, 19] as const;

function findNode(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > NODE_FLOOR[0] || (major === NODE_FLOOR[0] && minor >= NODE_FLOOR[1]);
  const finding: Finding = { name: 'Node.js', status: ok ? 'ok' : 'broken', found: process.versions.node };
  return ok ? finding : { ...finding, advice: `install Node.js ${NODE_FLOOR.join('.')} or newer` };
}

/** Runs a small product on a backend and compares it with the known result. */
async function tryBackend(name: string): Promise<string> {
  await initBackend(name);
  const size = 256;
  const multiply = async () => {
    const product = tf.tidy(() => tf.matMul(tf.ones([size, size]), tf.fill([size, size], 2)));
    const values = await product.data();
    product.dispose();
    return values;
  };
  const values = await multiply();
  if (!values.every((value) => value === 2 * size)) throw new Error('a matrix product came out wrong');
  const start = performance.now();
  await multiply();
  const gigaflops = (2 * size ** 3) / (performance.now() - start) / 1e6;
  return `a ${size}×${size} product is right (${gigaflops.toPrecision(2)} GFLOP/s)`;
}

async function findBackend(entry: ReturnType<typeof knownBackends>[number]): Promise<Finding> {
  const name = `backend ${entry.name}`;
  const { found, advice } = entry.inspect?.() ?? { found: entry.description };
  if (!entry.isPresent()) return { name, status: 'missing', found, advice };
  try {
    return { name, status: 'ok', found: `${found}; ${await tryBackend(entry.name)}` };
  } catch (error) {
    return { name, status: 'broken', found: messageOf(error), advice: 'choose another with --backend' };
  }
}

/** Looks at the machine: Node, processor, memory, and whether each backend computes. */
export async function doctor(): Promise<Finding[]> {
  const findings: Finding[] = [
    findNode(),
    {
      name: 'processor',
      status: 'ok',
      found: `${availableParallelism()} cores available, ${cpus()[0]?.model.trim() ?? 'unknown model'}`,
    },
    { name: 'memory', status: 'ok', found: `${gigabytes(freemem())} free of ${gigabytes(totalmem())}` },
  ];
  for (const entry of knownBackends()) findings.push(await findBackend(entry));
  return findings;
}
