import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Builds dist/ once, so that worker threads and the command line under test are those of the current source. */
export default function setup(): void {
  // what commands print is compared as text, wherever the tests run
  delete process.env.FORCE_COLOR;
  execFileSync(process.execPath, [fileURLToPath(new URL('../scripts/build.mjs', import.meta.url))], {
    stdio: 'inherit',
  });
}
