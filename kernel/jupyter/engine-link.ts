import type {
  CellError,
  CellOutcome,
  CellOutput,
  CellRequest,
  EngineConnection,
  FromEngine,
  ToEngine,
} from '../contract.js';

/** What the engine says that is no answer. */
export interface EngineEvents {
  onOutput(id: string, output: CellOutput): void;
  onLateError(id: string, error: CellError): void;
  onInputRequest(id: string, prompt: string, password: boolean): void;
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

  #receive(message: FromEngine): void {
    const { type, id } = message;
    if (type === 'output') this.#events.onOutput(id, message.output);
    else if (type === 'late-error') this.#events.onLateError(id, message.error);
    else if (type === 'input-request') this.#events.onInputRequest(id, message.prompt, message.password);
    else this.#waiting.get(id)?.(message);
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

  /** Ends the process. */
  shutdown(): void {
    this.#engine.shutdown();
  }
}
