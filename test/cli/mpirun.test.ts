import { expect, test } from 'vitest';
import { MpirunOutput, mpirunWords } from '../../src/cli/mpirun.js';

const DASHES = '-'.repeat(74);

/** As Open MPI 4.1.4 writes it when a rank is killed. */
const killed = `step 3/9 loss 1.2
${DASHES}
Primary job  terminated normally, but 1 process returned
a non-zero exit code. Per user-direction, the job has been aborted.
${DASHES}
${DASHES}
mpirun noticed that process rank 1 with PID 0 on node vm exited on signal 9 (Killed).
${DASHES}
`;

test('what mpirun says of a killed rank becomes one line, whatever the pieces it comes in', () => {
  for (const size of [1, 7, 1000]) {
    let text = '';
    const output = new MpirunOutput((line) => {
      text += line;
    });
    for (let at = 0; at < killed.length; at += size) output.push(killed.slice(at, at + size));
    output.end();
    expect(text).toBe(
      'step 3/9 loss 1.2\nerror: rank 1 (on vm) was ended by signal 9 (Killed); the others were stopped\n',
    );
  }
});

test('a line of dashes alone takes nothing that the processes say', () => {
  let text = '';
  const output = new MpirunOutput((line) => {
    text += line;
  });
  output.push('---\na | b\n---\nno line break');
  output.end();
  expect(text).toBe('---\na | b\n---\nno line break\n');
});

test('the words for either mpirun', () => {
  const command = ['node', 'arclab.cjs', 'infer'];
  expect(mpirunWords({ program: 'mpirun', kind: 'Open MPI' }, 2, command, { isRoot: false })).toEqual(
    '--oversubscribe --bind-to none -n 2 node arclab.cjs infer'.split(' '),
  );
  expect(mpirunWords({ program: 'mpirun', kind: 'Open MPI' }, 2, command, { isRoot: true })[0]).toBe(
    '--allow-run-as-root',
  );
  expect(mpirunWords({ program: 'mpiexec', kind: 'MPICH' }, 4, command)).toEqual(
    '-bind-to none -n 4 node arclab.cjs infer'.split(' '),
  );
});

/** As the hydra of MPICH 4.0.2 writes it among what the processes print. */
const killedByHydra = `
${'='.repeat(83)}
=   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
=   PID 8791 RUNNING AT vm
=   EXIT CODE: 9
=   CLEANING UP REMAINING PROCESSES
=   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES
${'='.repeat(83)}
YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)
This typically refers to a problem with your application.
Please see the FAQ page for debugging suggestions
`;

test('what hydra says of a killed rank is taken out of the output and told beside it', () => {
  let [text, told] = ['', ''];
  const output = new MpirunOutput(
    (line) => {
      text += line;
    },
    (line) => {
      told += line;
    },
  );
  output.push(`models/01/checkpoint-2\n${killedByHydra}`);
  output.end();
  expect(text.trim()).toBe('models/01/checkpoint-2');
  expect(told).toBe('error: a rank (process 8791 on vm) was ended by signal 9; the others were stopped\n');
});
