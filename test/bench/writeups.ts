/** What `writeup import` makes of a folder of Markdown: how many commands it accepts, and what it leaves as text. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commands } from '../../src/cli/commands.js';
import { commandLineOf } from '../../src/cli/own-calls.js';
import { exportWriteup } from '../../src/writeup/export.js';
import { importWriteup } from '../../src/writeup/import.js';
import { knownScripts } from '../../src/writeup/known-scripts.js';
import { segmentsOf } from '../../src/writeup/markdown-blocks.js';
import { sourceText } from '../../src/writeup/notebook-json.js';
import { commandOf } from '../../src/writeup/render-block.js';
import { hasPrompts, parseShell } from '../../src/writeup/shell-text.js';

const ownCommandLine = commandLineOf(commands);

/** Lines of bash blocks that are in no command, comment or result. */
function lostLines(markdown: string): string[] {
  return segmentsOf(markdown.replaceAll('\r\n', '\n')).flatMap((segment) => {
    if (segment.type !== 'shell') return [];
    const parts = parseShell(segment.source);
    const kept = parts
      .flatMap((part) => [part.source, ...(part.type === 'command' ? part.comments : [])])
      .join('\n');
    const bare = hasPrompts(segment.source) ? /^\S*[$#%>]\s*$/ : /^$/;
    return segment.source
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !bare.test(line) && !kept.includes(line.replace(/^.*?[$#%>] /, '')));
  });
}

const isOurs = (command: string) => /(^|[\s;])arclab /.test(command);
const percent = (part: number, whole: number) => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
const firstLine = (text: string) => text.replace(/\s*\\?\n[\s\S]*/, ' …');

function printCounts(reasons: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  for (const [reason, count] of [...counts].sort((a, b) => b[1] - a[1]))
    console.log(`  ${count} because ${reason}`);
}

/** Prints the figures of a folder. `--list` also prints every command; `--default name=value` is that of the import. */
async function measure(folder: string, flags: readonly string[]): Promise<void> {
  const defaults = new Map(
    flags.flatMap((flag, i) =>
      flags[i - 1] === '--default' ? [flag.split('=', 2) as [string, string]] : [],
    ),
  );
  const names = readdirSync(folder).filter((name) => name.endsWith('.md'));
  const total = { commands: 0, ours: 0, results: 0, same: 0 };
  const left: { name: string; command: string; reason: string; ours: boolean }[] = [];
  const lacking: string[] = [];
  const lost: string[] = [];
  for (const name of names) {
    const markdown = readFileSync(join(folder, name), 'utf8');
    const result = await importWriteup(markdown, { defaults, commandLine: ownCommandLine });
    const cells = result.notebook.cells.flatMap(({ source }) => commandOf(sourceText(source)) ?? []);
    lacking.push(...result.marked.map(({ reason }) => reason));
    total.commands += result.commands;
    total.ours += cells.filter(isOurs).length;
    total.results += result.results;
    for (const { command, reason } of result.left) {
      const ours = isOurs(command) || Object.keys(knownScripts).some((script) => command.includes(script));
      left.push({ name, command, reason, ours });
    }
    const back = (await exportWriteup(result.notebook, { name: 'x' })).markdown;
    if (back === markdown) total.same++;
    else console.log(`${name}: the export differs from the document`);
    lost.push(...lostLines(markdown).map((line) => `${name}: ${line}`));
    if (flags.includes('--list')) for (const cell of cells) console.log(`  ${name}: ${firstLine(cell)}`);
  }
  const leftOurs = left.filter(({ ours }) => ours).length;
  const found = total.commands + left.length;
  const calls = total.ours + leftOurs;
  console.log(`${names.length} documents, ${total.same} of them given back by an export as they were`);
  console.log(`${found} commands, ${total.commands} accepted (${percent(total.commands, found)})`);
  console.log(`${calls} calls of known scripts, ${total.ours} accepted (${percent(total.ours, calls)})`);
  const asTheyAre = total.commands - lacking.length;
  console.log(`without those that are marked below: ${asTheyAre} accepted (${percent(asTheyAre, found)})`);
  console.log(`${total.results} pasted results kept as text, ${lost.length} lines lost`);
  for (const line of lost) console.log(`  ${line}`);
  printCounts(left.map(({ reason }) => reason));
  console.log(`${lacking.length} accepted commands are marked, because they name what is not there:`);
  printCounts(lacking);
  if (flags.includes('--list'))
    for (const { name, command } of left) console.log(`  ${name}: ${firstLine(command)}`);
}

const [folder, ...flags] = process.argv.slice(2);
if (folder === undefined) throw new Error('expected a folder of Markdown files');
void measure(folder, flags);
