import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { outliveReader } from '../../src/cli/broken-pipe.js';

it('goes on when its reader has left, and only then', () => {
  const stream = new PassThrough();
  outliveReader(stream);
  const fail = (code: string) => () => stream.emit('error', Object.assign(new Error(code), { code }));
  expect(fail('EPIPE')).not.toThrow();
  expect(fail('EPIPE')).not.toThrow();
  expect(fail('EIO')).toThrow('EIO');
});
