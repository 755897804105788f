/** The notebooks that the browser opens. */
const cell = (id: string, source: string) => ({
  cell_type: 'code',
  id,
  metadata: {},
  execution_count: null,
  outputs: [],
  source,
});

const plot = {
  $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
  data: { values: [0.9, 0.5, 0.3, 0.2].map((loss, step) => ({ step, loss })) },
  mark: 'line',
  encoding: { x: { field: 'step', type: 'quantitative' }, y: { field: 'loss', type: 'quantitative' } },
};

const svg =
  '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90" id="task-picture">' +
  '<rect width="30" height="30" fill="#3178c6"/><rect x="30" y="30" width="60" height="60" fill="#ffdc00"/></svg>';

/** A notebook of code cells, by their ids. */
export function codeNotebook(cells: Record<string, string>): object {
  return {
    cells: Object.entries(cells).map(([id, source]) => cell(id, source)),
    metadata: {
      kernelspec: { name: 'arclab', display_name: 'TypeScript (arclab)', language: 'typescript' },
      language_info: { name: 'typescript', file_extension: '.ts' },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
}

export const notebook = codeNotebook({
  declare: 'const measurements: number[] = [1, 2, 3];\nmeasurements.length * 14',
  plot: `display({ 'application/vnd.vegalite.v5+json': ${JSON.stringify(plot)} }, { raw: true });`,
  picture: `import * as tslab from 'tslab';\ntslab.display.svg(${JSON.stringify(svg)});`,
  last: "console.log('all cells ran');",
});
