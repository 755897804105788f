import { UserError } from '../../src/common/errors.js';
import { readExactText } from '../../src/common/files.js';

/** What a Jupyter server writes for a kernel: where to listen, and how to sign. */
export interface ConnectionInfo {
  transport: 'tcp' | 'ipc';
  ip: string;
  ports: Record<SocketName, number>;
  /** Secret of the signatures; with an empty one nothing is signed or verified. */
  key: string;
  /** Node's name of the hash in `hmac-<hash>`. */
  hash: string;
}

/** The five sockets of a kernel. */
export type SocketName = 'shell' | 'control' | 'iopub' | 'stdin' | 'hb';

export const socketNames: readonly SocketName[] = ['shell', 'control', 'iopub', 'stdin', 'hb'];

/** Reads a connection file. @throws {UserError} saying what is wrong with it */
export function readConnection(path: string): ConnectionInfo {
  const fail = (why: string): never => {
    throw new UserError(`${path}: expected a Jupyter connection file, but ${why}`);
  };
  const text = readExactText(path, 'a Jupyter connection file');
  let file: Record<string, unknown> = {};
  try {
    file = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    fail(`it is not JSON: ${(error as Error).message}`);
  }
  if (typeof file !== 'object' || file === null) fail('it holds no object');
  const { transport = 'tcp', ip = '127.0.0.1', key = '', signature_scheme: scheme = 'hmac-sha256' } = file;
  if (transport !== 'tcp' && transport !== 'ipc') {
    return fail(`its transport is ${JSON.stringify(transport)}; known are "tcp" and "ipc"`);
  }
  if (typeof ip !== 'string' || typeof key !== 'string') return fail('"ip" or "key" is not a string');
  const hash = /^hmac-(\w+)$/.exec(String(scheme))?.[1];
  if (hash === undefined) return fail(`its signature_scheme is ${JSON.stringify(scheme)}, not "hmac-<hash>"`);
  const ports = Object.fromEntries(
    socketNames.map((channel) => {
      const port = file[`${channel}_port`];
      const valid = Number.isInteger(port) && (port as number) > 0 && (port as number) < 65536;
      return [channel, valid ? (port as number) : fail(`"${channel}_port" is ${JSON.stringify(port)}`)];
    }),
  ) as Record<SocketName, number>;
  return { transport, ip, ports, key, hash };
}

/** The address of a socket in ZeroMQ's words. */
export function addressOf({ transport, ip, ports }: ConnectionInfo, channel: SocketName): string {
  return transport === 'tcp' ? `tcp://${ip}:${ports[channel]}` : `ipc://${ip}-${ports[channel]}`;
}

/** The same in the system's words. */
export function placeOf(
  { transport, ip, ports }: ConnectionInfo,
  channel: SocketName,
): { ip: string; port: number } | { path: string } {
  return transport === 'tcp' ? { ip, port: ports[channel] } : { path: `${ip}-${ports[channel]}` };
}
