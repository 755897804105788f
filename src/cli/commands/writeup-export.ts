import { basename, dirname } from 'node:path';
import { writeFileAtomic } from '../../common/files.js';
import { writablePathBelow } from '../../common/foreign-path.js';
import type { PlotSpec } from '../../display/plots.js';
import { renderPlot } from '../../display/render-plot.js';
import { exportWriteup } from '../../writeup/export.js';
import { readNotebookJson } from '../../writeup/notebook-json.js';
import type { CommandFile } from '../command.js';

export default {
  configure(command) {
    command
      .argument('<file>', 'a notebook')
      .option('-o, --output <file>', 'the Markdown file (default: the same name with .md)');
  },
  async run([file], { output }: { output?: string }) {
    const path = output ?? file!.replace(/(\.ipynb)?$/i, '.md');
    const { markdown, files } = await exportWriteup(readNotebookJson(file!), {
      name: basename(path).replace(/\.(md|markdown)$/i, ''),
      draw: (spec) => renderPlot(spec as unknown as PlotSpec),
    });
    // all are checked before one is written
    const pictures = [...files].map(
      ([name, content]) => [writablePathBelow(dirname(path), name, file!), content] as const,
    );
    for (const [picture, content] of pictures) writeFileAtomic(picture, content);
    writeFileAtomic(path, markdown);
    process.stdout.write(`wrote ${path}${files.size > 0 ? ` and ${files.size} pictures` : ''}\n`);
  },
} satisfies CommandFile;
