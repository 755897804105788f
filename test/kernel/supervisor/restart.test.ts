import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { pythonWith } from '../../prerequisites/index.js';
import { installKernel } from '../installed.js';

const python = pythonWith('jupyter_client');

describe.skipIf(python === undefined || process.platform !== 'linux')('with jupyter_client', () => {
  test('a kernel that dies says so, and is started anew', { timeout: 120_000 }, () => {
    const installed = installKernel();
    const script = fileURLToPath(new URL('./restart.py', import.meta.url));
    const cells = [
      "console.log('before'); var kept = 1; process.kill(process.pid, 'SIGSEGV'); while (true);",
      "console.log('before'); const hog = []; for (;;) hog.push(Array.from({ length: 1e4 }, (_, i) => ({ i })))",
    ];
    const env = { ...installed.env, NODE_OPTIONS: '--max-old-space-size=120' };
    const { stdout, stderr } = spawnSync(python!, ['-W', 'ignore', script, JSON.stringify(cells)], {
      env,
      encoding: 'utf8',
    });
    installed.remove();
    expect(stdout, stderr).not.toBe('');
    const [crash, afterCrash, exhausted, afterExhausted] = JSON.parse(stdout);
    for (const death of [crash, exhausted]) {
      expect(death.streams).toEqual([['stdout', 'before\n']]);
      expect(death).toMatchObject({ error: 'KernelDied', reply: { status: 'error', ename: 'KernelDied' } });
      // the restarter looks every three seconds
      expect(death.restartSeconds).toBeLessThan(15);
    }
    expect(crash.reply.evalue).toContain('SIGSEGV');
    expect(exhausted.reply.evalue).toContain('out of memory');
    for (const fresh of [afterCrash, afterExhausted]) {
      expect(fresh.streams).toEqual([['stdout', 'undefined\n']]);
    }
    // the server's log
    expect(stderr).toContain('[arclab kernel] The kernel has died');
  });
});
