/** The thread of the language service: neither output nor cells wait for it. */
import v8 from 'node:v8';
import vm from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import { completenessOf } from './completeness.js';
import type { LanguageAnswer, Question } from './messages.js';
import { CellService } from './service.js';

/** Questions between two collections of garbage: each leaves a type checker behind, and V8 takes its time. */
const COLLECT_EVERY = 10;

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;
let asked = 0;

const service = new CellService((workerData as { folder: string }).folder);

function answer(question: Question): LanguageAnswer {
  switch (question.type) {
    case 'add':
      service.add(question.name, question.code);
      return undefined;
    case 'check':
      return service.check(question.name);
    case 'complete':
      return service.complete(question.code, question.offset);
    case 'inspect':
      return service.inspect(question.code, question.offset);
    case 'completeness':
      return completenessOf(question.code);
  }
}

parentPort!.on('message', ({ id, question }: { id: number; question: Question }) => {
  let result: LanguageAnswer;
  try {
    result = answer(question);
  } catch {
    // TypeScript gives up on some broken code: no answer is better than no service
  }
  parentPort!.postMessage({ id, answer: result });
  if (++asked % COLLECT_EVERY === 0) collectGarbage();
});
