/** @file The cells of one block of a document as Markdown. */
import { fenced, formOf, indented } from './fences.js';
import { type CellJson, sourceText } from './notebook-json.js';
import { hasPrompts } from './shell-text.js';

const COMMAND = /^((?:\/\/.*\n)*)await sh(?:`([\s\S]*)`|\(("(?:[^"\\]|\\.)*")\));?\s*$/;

/** A cell that runs a command, as bash; `undefined` for any other cell. */
export function commandOf(source: string): string | undefined {
  const match = COMMAND.exec(source);
  if (match === null) return undefined;
  const comments = match[1]!.replace(/^\/\//gm, '#');
  return comments + (match[2] ?? (JSON.parse(match[3]!) as string));
}

/** What a cell showed, as pieces of Markdown. */
export type ShownOutputs = ReadonlyMap<CellJson, readonly string[]>;

/** A command at a terminal's prompt. */
function prompted(command: string): string {
  let first = true;
  return command
    .split('\n')
    .map((line) => {
      if (line.startsWith('#') && first) return `$ ${line}`;
      const prompt = first ? '$ ' : '> ';
      first = false;
      return prompt + line;
    })
    .join('\n');
}

/** Commands one after the other: apart where one has comments or several lines. */
function joinedCommands(commands: readonly string[]): string {
  return commands.reduce((text, command) => {
    if (text === '') return command;
    const apart = command.includes('\n') || /\n/.test(text.slice(text.lastIndexOf('\n\n') + 2));
    return `${text}${apart ? '\n\n' : '\n'}${command}`;
  }, '');
}

/**
 * A block's cells in the form that the block had in its document: the same fence, indentation and `<details>`, with
 * what the commands showed after them. Commands that showed nothing stay one block.
 */
export function renderBlock(cells: readonly CellJson[], shown: ShownOutputs): string {
  const original = cells[0]?.metadata.arclab?.original;
  const tags = cells[0]?.metadata.tags ?? [];
  const isShell = cells.some((cell) => commandOf(sourceText(cell.source)) !== undefined);
  const form = formOf(original ?? (isShell ? '```bash\n```' : `\`\`\`${['ts', ...tags].join(' ')}\n\`\`\``));
  const asTyped = isShell && original !== undefined && hasPrompts(original);
  const parts: string[] = [];
  let open: string[] = [];
  const close = () => {
    if (open.length > 0) parts.push(fenced(joinedCommands(open), form.open));
    open = [];
  };
  for (const cell of cells) {
    const source = sourceText(cell.source).replace(/\s+$/, '');
    if (cell.cell_type !== 'code') {
      close();
      if (source !== '') parts.push(source);
      continue;
    }
    const command = commandOf(source);
    if (command !== undefined) open.push(asTyped ? prompted(command) : command);
    else {
      close();
      // what is no command in a block of commands was put there by hand
      if (source !== '')
        parts.push(fenced(source, isShell ? ['ts', ...(cell.metadata.tags ?? [])].join(' ') : form.open));
    }
    const outputs = shown.get(cell) ?? [];
    if (outputs.length > 0) {
      close();
      parts.push(...outputs);
    }
  }
  close();
  return form.before + indented(parts.join('\n\n'), form.indent) + form.after;
}
