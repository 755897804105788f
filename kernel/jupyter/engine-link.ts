import type { Session } from 'node:inspector';
import type {
  CellError,
  CellOutcome,
  CellOutput,
  CellRequest,
  CommMessage,
  EngineConnection,
  FromEngine,
  ToEngine,
} from '../contract.js';

/** Messages of the engine that are no answers. A returned promise makes a cell wait that prints too fast. */
export interface EngineEvents {
  onOutput(id: string, output: CellOutput): Promise<void> | undefined;
  onLateError(id: string, error: CellError): void;
  onInputRequest(id: string, prompt: string, password: boolean): void;
  onComm(id: string, message: CommMessage): Promise<void> | undefined;
}

/** Milliseconds that a question about live values waits: a cell that computes lets nothing in for hours. */
const PATIENCE = { idle: 2000, busy: 100 };

/** Cells and questions for the engine, each with its answer. */
export class EngineLink {
  #engine: EngineConnection;
  #events: EngineEvents;
  #waiting = new Map<string, (message: FromEngine) => void>();
  #asked = 0;
  /** How many have been sent and are not done. */
  #cells = 0;

  constructor(engine: EngineConnection, events: EngineEvents) {
    this.#engine = engine;
    this.#events = events;
  }

  /** Begins to listen: nothing is lost that was said before. */
  start(): void {
    this.#engine.onMessage((message) => this.#receive(message));
  }

  #receive(message: FromEngine): Promise<void> | undefined {
    const { type, id } = message;
    if (type === 'output') return this.#events.onOutput(id, message.output);
    if (type === 'comm') return this.#events.onComm(id, message.message);
    if (type === 'late-error') this.#events.onLateError(id, message.error);
    else if (type === 'input-request') this.#events.onInputRequest(id, message.prompt, message.password);
    else this.#waiting.get(id)?.(message);
    return undefined;
  }

  /** Runs a cell to its end. */
  execute(id: string, request: CellRequest): Promise<CellOutcome> {
    this.#cells++;
    return new Promise((resolve) => {
      this.#waiting.set(id, (message) => {
        if (message.type !== 'done') return;
        this.#cells--;
        this.#waiting.delete(id);
        resolve(message.outcome);
      });
      this.#engine.send({ type: 'execute', id, request });
    });
  }

  /** Names of the properties of a live value (of the scope for an empty expression); none while a cell computes. */
  async properties(expression: string): Promise<{ name: string; kind: string }[]> {
    const answer = await this.#ask({ type: 'properties', id: `look-${this.#asked++}`, expression });
    return answer?.type === 'properties' ? answer.names : [];
  }

  /** A live value as text; `undefined` while a cell computes, or when there is no such value. */
  async describe(expression: string): Promise<string | undefined> {
    const answer = await this.#ask({ type: 'describe', id: `look-${this.#asked++}`, expression });
    return answer?.type === 'describe' ? answer.text : undefined;
  }

  /** Hands over a message of a comm. @returns how that went; see `comm-done` of the contract */
  deliver(message: CommMessage, id: string): Promise<{ isKnown: boolean; problem?: string | undefined }> {
    return new Promise((resolve) => {
      this.#waiting.set(id, (answer) => {
        if (answer.type !== 'comm-done') return;
        this.#waiting.delete(id);
        resolve(answer);
      });
      this.#engine.send({ type: 'comm', id, message });
    });
  }

  #ask(question: ToEngine & { id: string }): Promise<FromEngine | undefined> {
    return new Promise((resolve) => {
      const end = (answer: FromEngine | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(question.id);
        resolve(answer);
      };
      const patience = this.#cells > 0 ? PATIENCE.busy : PATIENCE.idle;
      const timer = setTimeout(end, patience, undefined);
      this.#waiting.set(question.id, end);
      this.#engine.send(question);
    });
  }

  /** Stops the cell that runs, whether it computes or waits. */
  interrupt(): void {
    this.#engine.interrupt();
  }

  answerInput(text: string | undefined): void {
    this.#engine.input(text);
  }

  /** The inspector of the thread that runs cells. */
  inspector(): Session {
    return this.#engine.inspector();
  }

  /** Ends the process. */
  shutdown(): void {
    this.#engine.shutdown();
  }
}
