import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { type InstalledKernel, installedKernels } from '../../kernel/kernelspec/install.js';
import { messageOf } from '../common/errors.js';
import { initBackend, knownBackends } from '../tensors/backend.js';
import { NoDeviceError } from '../tensors/errors.js';
import { describeReproducibility, reproducibility } from '../tensors/reproducibility.js';
import * as tf from '../tensors/tf.js';
import { describeGpu, findGpus, type GpuSearch, hasCuda } from '../tensors/torch/gpus.js';
import { findTorch, type TorchInstallation } from '../tensors/torch/locate.js';

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
  const { deviceName = 'cpu' } = tf.backend() as { deviceName?: string };
  const where = deviceName === 'cpu' ? '' : ` on ${deviceName}`;
  return `a ${size}×${size} product${where} is right (${gigaflops.toPrecision(2)} GFLOP/s)`;
}

async function findBackend(entry: ReturnType<typeof knownBackends>[number]): Promise<Finding> {
  const name = `backend ${entry.name}`;
  const { found, advice } = entry.inspect?.() ?? { found: entry.description };
  if (!entry.isPresent()) return { name, status: 'missing', found, advice };
  try {
    const devices = (await entry.describeDevices?.()) ?? [];
    return { name, status: 'ok', found: [found, ...devices, await tryBackend(entry.name)].join('; ') };
  } catch (error) {
    if (error instanceof NoDeviceError) return { name, status: 'missing', found: error.message };
    return { name, status: 'broken', found: messageOf(error), advice: 'choose another with `backend`' };
  }
}

/** The GPUs, and whether a PyTorch that was found can compute on them. */
export function gpuFinding({ gpus, absent }: GpuSearch, torches: readonly TorchInstallation[]): Finding {
  const name = 'GPU';
  const advice =
    "nothing needs one, but a model of 0.5B is trained on one in a fraction of the time: install NVIDIA's driver and a CUDA build of PyTorch";
  if (gpus.length === 0) return { name, status: 'missing', found: absent ?? 'none', advice };
  const found = gpus.map((gpu) => `cuda:${gpu.index} ${describeGpu(gpu)}`).join('; ');
  const usable = torches.find(({ refused }) => refused === undefined);
  if (usable && hasCuda(usable)) return { name, status: 'ok', found };
  const torch = usable ? `torch ${usable.version} is built for the processor only` : 'no PyTorch uses it';
  return { name, status: 'missing', found: `${found}; ${torch}`, advice: 'install a CUDA build of PyTorch' };
}

/** Which operations of the backends that are present give the same digits again, and which do not. */
export function reproducibilityFindings(backends: readonly string[], onGpu: boolean): Finding[] {
  return reproducibility
    .filter(({ backend, device }) => backends.includes(backend) && (device !== 'cuda' || onGpu))
    .map((entry) => {
      const remedies = entry.exceptions.flatMap(({ remedy }) => remedy ?? []);
      return {
        name: 'same digits again',
        status: 'ok',
        found: describeReproducibility(entry),
        ...(remedies.length > 0 ? { advice: remedies.join('; ') } : {}),
      };
    });
}

/** The kernels for Jupyter that arclab has installed. */
export function kernelFinding(kernels: readonly InstalledKernel[]): Finding {
  const name = 'Jupyter kernel';
  const [first] = kernels;
  if (!first) {
    const found = 'none is installed where Jupyter looks';
    return { name, status: 'missing', found, advice: 'for notebooks run `arclab kernel install`' };
  }
  const found = kernels.map(({ name: kernel, folder, missing }) =>
    missing.length > 0 ? `${kernel}: ${missing.join(' and ')} is gone` : `${kernel} (${folder})`,
  );
  const broken = kernels.filter(({ missing }) => missing.length > 0);
  if (broken.length === 0)
    return { name, status: 'ok', found: found.join('; '), advice: untried(process.platform) };
  return { name, status: 'broken', found: found.join('; '), advice: 'run `arclab kernel install` again' };
}

/** A warning for systems on which the kernel was never tried. */
export function untried(platform: NodeJS.Platform): string | undefined {
  if (platform === 'linux') return undefined;
  return 'the kernel was tried on Linux only; what differs on macOS and Windows is tested with a faked system';
}

/** Looks at the machine: Node, processor, memory, whether each backend computes, GPUs, kernels for Jupyter. */
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
  const gpu = gpuFinding(findGpus(), findTorch());
  const present = findings.flatMap(({ name, status }) =>
    status === 'ok' && name.startsWith('backend ') ? [name.slice('backend '.length)] : [],
  );
  findings.push(gpu, ...reproducibilityFindings(present, gpu.status === 'ok'));
  findings.push(kernelFinding(installedKernels()));
  return findings;
}
