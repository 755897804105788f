import type { MimeBundle, Output } from '../notebook/index.js';

/** Displays by their id, in all cells: an update changes each of them. */
export type Displays = Map<string, { outputs: CellOutputs; output: Output }[]>;

/** The outputs of one cell as its messages come in, merged the way notebooks keep them. */
export class CellOutputs {
  /** Whether something came since this was last set to false. */
  isChanged = false;
  #outputs: (Output | StreamText)[] = [];
  #displays: Displays;
  #clearNext = false;

  /** @param displays one map for all cells of a run */
  constructor(displays: Displays) {
    this.#displays = displays;
  }

  /** The outputs so far, as nbformat has them. */
  get outputs(): Output[] {
    return this.#outputs.map((output) => (output instanceof StreamText ? output.output : output));
  }

  /** Takes the content of a message of the iopub channel; types that are not output are ignored. */
  take(type: string, content: Record<string, unknown>): void {
    const { data = {}, metadata = {}, transient } = content as Record<string, MimeBundle>;
    const displayId = transient?.display_id as string | undefined;
    switch (type) {
      case 'stream':
        this.#takeStream(String(content.name), String(content.text));
        break;
      case 'display_data':
        this.#append({ output_type: 'display_data', data, metadata }, displayId);
        break;
      case 'execute_result': {
        const count = (content.execution_count as number | undefined) ?? null;
        this.#append({ output_type: 'execute_result', data, metadata, execution_count: count }, displayId);
        break;
      }
      case 'error': {
        const { ename, evalue, traceback } = content as {
          ename: string;
          evalue: string;
          traceback: string[];
        };
        this.#append({ output_type: 'error', ename, evalue, traceback });
        break;
      }
      case 'update_display_data':
        for (const shown of (displayId && this.#displays.get(displayId)) || []) {
          Object.assign(shown.output, { data, metadata });
          shown.outputs.isChanged = true;
        }
        break;
      case 'clear_output':
        if (content.wait) this.#clearNext = true;
        else this.#clear();
    }
  }

  #clear(): void {
    this.#clearNext = false;
    this.#outputs = [];
    this.isChanged = true;
  }

  #append(output: Output, displayId?: string): void {
    if (this.#clearNext) this.#clear();
    this.#outputs.push(output);
    this.isChanged = true;
    if (displayId === undefined) return;
    const shown = this.#displays.get(displayId) ?? [];
    this.#displays.set(displayId, [...shown, { outputs: this, output }]);
    // a display that is shown again replaces what the others show
    for (const { outputs, output: other } of shown) {
      if ('data' in output) Object.assign(other, { data: output.data, metadata: output.metadata });
      outputs.isChanged = true;
    }
  }

  #takeStream(name: string, text: string): void {
    if (this.#clearNext) this.#clear();
    let last = this.#outputs.at(-1);
    if (!(last instanceof StreamText) || last.name !== name) {
      last = new StreamText(name);
      this.#outputs.push(last);
    }
    last.write(text);
    this.isChanged = true;
  }
}

/**
 * Text of a stream as a terminal would show it: `\r` goes to the beginning of the line and what follows overwrites it,
 * so that a progress bar of a thousand steps is one line; `\b` goes back by one.
 */
class StreamText {
  readonly name: string;
  #lines = '';
  #line = '';
  #column = 0;

  constructor(name: string) {
    this.name = name;
  }

  get output(): Output {
    return { output_type: 'stream', name: this.name, text: this.#lines + this.#line };
  }

  write(text: string): void {
    for (const part of text.split(/(\r\n|[\r\b])/)) {
      if (part === '\r\n') this.#write('\n');
      else if (part === '\r') this.#column = 0;
      else if (part === '\b') this.#column = Math.max(0, this.#column - 1);
      else if (part !== '') this.#write(part);
    }
  }

  #write(text: string): void {
    const lineEnd = text.indexOf('\n');
    const first = lineEnd < 0 ? text : text.slice(0, lineEnd);
    this.#line = this.#line.slice(0, this.#column) + first + this.#line.slice(this.#column + first.length);
    this.#column += first.length;
    if (lineEnd < 0) return;
    // nothing within the rest overwrites: only its last line is still open
    const open = text.lastIndexOf('\n') + 1;
    this.#lines += `${this.#line}\n${text.slice(lineEnd + 1, open)}`;
    this.#line = text.slice(open);
    this.#column = this.#line.length;
  }
}
