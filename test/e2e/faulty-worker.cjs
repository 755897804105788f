// A child process of a submission that goes wrong where ARCLAB_TEST_FAULTS says: {"throw": "task1", "exit": …, "hang": …}
// about a task, {"mark": file} leaves a file before it hangs; {"load": text} for adapters whose path has the text; {"exitOnce": file} ends once, and leaves the file.
const { existsSync, writeFileSync } = require('node:fs');
const { serveSubmit, submitHandlers } = require('../../dist/submit-worker.cjs');

const faults = JSON.parse(process.env.ARCLAB_TEST_FAULTS ?? '{}');
const handlers = submitHandlers();
serveSubmit({
  ...handlers,
  async load(request, reply) {
    if (faults.load && request.adapterPath?.includes(faults.load)) throw new Error('broken adapter');
    return handlers.load(request, reply);
  },
  async predict(request, reply) {
    const about = (task) => task !== undefined && request.items.some(({ taskId }) => taskId === task);
    if (about(faults.throw)) throw new Error('injected exception');
    if (about(faults.exit)) process.kill(process.pid, 'SIGKILL');
    if (about(faults.hang)) {
      if (faults.mark) writeFileSync(faults.mark, '');
      for (;;);
    }
    if (faults.exitOnce && !existsSync(faults.exitOnce)) {
      writeFileSync(faults.exitOnce, '');
      process.kill(process.pid, 'SIGKILL');
    }
    return handlers.predict(request, reply);
  },
});
