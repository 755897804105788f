import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { endProcessTree, type ProcessSystem, signalDescendants } from '../../../kernel/host/process-tree.js';
import { Kernel, Project, sleep } from '../bridge/client.js';

/** A system of which only the calls are seen. */
function fake(platform: NodeJS.Platform, table = ''): { system: ProcessSystem; calls: string[] } {
  const calls: string[] = [];
  const system: ProcessSystem = {
    platform,
    kill: (pid, signal) => {
      calls.push(`${signal} ${pid}`);
      if (pid === 12) throw new Error('ESRCH');
    },
    run: (program, args) => {
      calls.push([program, ...args].join(' '));
      return table;
    },
  };
  return { system, calls };
}

//  10 ─ 11 ─ 13
//     ├ 12
//     └ 14 (leads a group) ─ 15
const TABLE =
  '    1     0     1\n   10     1    10\n   11    10    10\n   12    10    10\n   13    11    10\n   14    10    14\n   15    14    14\n';

describe('the processes below a process', () => {
  it('are found by ps on macOS, the last ones first; those with a group of their own are spared', () => {
    const { system, calls } = fake('darwin', TABLE);
    endProcessTree(10, 'SIGTERM', system);
    expect(calls).toEqual([
      'ps -A -o pid=,ppid=,pgid=',
      'SIGTERM 13',
      'SIGTERM 11',
      'SIGTERM 12',
      'SIGTERM 10',
    ]);
  });

  it('are ended by taskkill on Windows, which has no signals', () => {
    const { system, calls } = fake('win32');
    endProcessTree(10, 'SIGTERM', system);
    signalDescendants('SIGINT', 10, system);
    expect(calls).toEqual(['taskkill /PID 10 /T /F']);
  });

  it.runIf(process.platform !== 'win32')('are those that are there', async () => {
    const shell = spawn('sh', ['-c', 'sleep 100 & sleep 100 & echo began; wait']);
    await once(shell.stdout, 'data');
    const ended = new Promise((resolve) => shell.on('close', resolve));
    endProcessTree(shell.pid!, 'SIGTERM');
    // the streams close when nobody of them is left; the shell may see its children end before its own signal
    await ended;
    expect(isAlive(shell.pid!)).toBe(false);
  });
});

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    // one that has ended stays in the table until its parent asks
    const stat = existsSync('/proc') ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '';
    return !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
  } catch {
    return false;
  }
};

describe.runIf(process.platform !== 'win32')('a session that ends', () => {
  it.each([
    ['free', '1'],
    ['busy', 'for (;;);'],
    ['waiting for a program', "require('node:child_process').execSync('sleep 100')"],
  ])('ends what its cells have started, but for what is detached: %s', async (_, last) => {
    const project = new Project();
    const kernel = new Kernel(project.folder);
    await kernel.ready;
    const { stdout } = await kernel.run(`
      const { spawn } = require('node:child_process');
      const own = spawn('sh', ['-c', 'sleep 100 & echo $!; wait']);
      const inner = await new Promise(r => own.stdout.once('data', d => r(Number(d))));
      const apart = spawn('sleep', ['100'], { detached: true, stdio: 'ignore' });
      console.log(JSON.stringify([own.pid, inner, apart.pid]))`);
    const [own, inner, apart] = JSON.parse(stdout) as number[];
    kernel.start(last);
    await sleep(100);
    kernel.send({ type: 'shutdown' });
    await kernel.exited;
    const alive = () => [own, inner, apart].map((pid) => isAlive(pid!));
    await vi.waitFor(() => expect(alive()).toEqual([false, false, true]), 20_000);
    process.kill(apart!, 'SIGKILL');
    project.remove();
  });
});
