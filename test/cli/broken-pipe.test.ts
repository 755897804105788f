import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { outliveReader } from '../../src/cli/broken-pipe.js';
import { buildFile } from '../../src/common/files.js';

it('goes on when its reader has left, and only then', () => {
  const stream = new PassThrough();
  outliveReader(stream);
  const fail = (code: string) => () => stream.emit('error', Object.assign(new Error(code), { code }));
  expect(fail('EPIPE')).not.toThrow();
  expect(fail('EPIPE')).not.toThrow();
  expect(fail('EIO')).toThrow('EIO');
});

it('is what a command does whose reader has left before it writes', async () => {
  const child = spawn(process.execPath, [buildFile('arclab.cjs'), 'generate-tasks', '--list']);
  child.stdout.destroy();
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  const [code] = await once(child, 'close');
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
});
