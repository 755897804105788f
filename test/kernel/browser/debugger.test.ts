/** JupyterLab's debugger on cells and files in TypeScript. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { codeNotebook } from './notebook.js';
import { NotebookPage, python } from './page.js';

const helper = `interface Options { by: number }

export function triple(value: number, options: Options): number {
  const product = value * options.by;
  return product;
}
`;

const notebook = codeNotebook({
  cell: `import { triple } from './helper';
interface Point { x: number; y: number }
const point: Point = { x: 3, y: 4 };
const label = 'a point';
const tripled = triple(point.x, { by: 3 });
console.log('the end', tripled);`,
});

describe.skipIf(python === undefined)("JupyterLab's debugger", { timeout: 180_000 }, () => {
  let lab: NotebookPage;
  const at = (selector: string) => lab.page.locator(selector);
  /** Waits until the panel shows these frames, the innermost first. */
  const frames = async (...names: string[]) => {
    await expect.poll(() => at('.jp-DebuggerCallstackFrame-name').allTextContents()).toEqual(names);
  };
  const press = (command: string) => at(`#jp-debugger-sidebar [data-command="debugger:${command}"]`).click();
  const stopped = (index: number) => lab.cell(index).locator('.jp-DebuggerEditor-highlight');
  const runCell = async (index: number) => {
    await lab.cell(index).locator('.cm-content').click();
    await lab.page.keyboard.press('Control+Enter');
  };
  const breakAt = (index: number, line: number) =>
    lab.cell(index).locator('.cm-breakpoint-gutter .cm-gutterElement').nth(line).click();
  /** A variable of the panel by its name. */
  const variable = (name: string) =>
    at('.jp-DebuggerVariables-body .jp-TreeItem')
      .filter({ has: lab.page.locator('.jp-DebuggerVariables-name', { hasText: new RegExp(`^${name}$`) }) })
      .first();

  beforeAll(async () => {
    lab = await NotebookPage.open(notebook, { files: { 'helper.ts': helper } });
  }, 180_000);

  afterAll(() => lab?.close(), 60_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await lab.shoot(`failed-${task.name.replace(/\W+/g, '-')}`);
  });

  test('stops at a breakpoint that was set by a click, and shows variables', async () => {
    const sidebar = at('#jp-debugger-sidebar');
    // JupyterLab forgets a click that comes while it asks the kernel for the first time
    for (let tries = 0; tries < 10 && !(await sidebar.isVisible()); tries++) {
      await at('.jp-DebuggerBugButton').click();
      await sidebar.waitFor({ timeout: 3000 }).catch(() => {});
    }
    await at('.jp-DebuggerBugButton[aria-pressed="true"]').waitFor();
    await lab.shoot('debugger-on');
    await breakAt(0, 5);
    await at('.jp-DebuggerBreakpoint').waitFor();
    expect(await at('.jp-DebuggerBreakpoint-line').allTextContents()).toEqual(['5']);
    await runCell(0);
    await stopped(0).waitFor();
    await lab.shoot('debugger-stopped');
    expect(await stopped(0).textContent()).toBe('const tripled = triple(point.x, { by: 3 });');
    await variable('label').waitFor();
    expect(await variable('label').textContent()).toContain('a point');
    // the panel forgets a click that comes while it draws its variables again
    for (let tries = 0; tries < 10 && !(await variable('y').isVisible()); tries++) {
      await variable('point').click();
      await variable('y')
        .waitFor({ timeout: 2000 })
        .catch(() => {});
    }
    await variable('y').waitFor();
    expect(await variable('y').textContent()).toContain('4');
    await frames('cell-1.ts');
  });

  test('steps into a function of a local module, shows its file and its variables, and goes on to the end', async () => {
    await press('stepIn');
    await frames('triple', 'cell-1.ts');
    const location = () => at('.jp-DebuggerCallstackFrame-location').first().textContent();
    await expect.poll(location).toMatch(/helper\.ts:4$/);
    await press('next');
    await expect.poll(location).toMatch(/helper\.ts:5$/);
    const highlight = at('.jp-MainAreaWidget .jp-DebuggerEditor-highlight').last();
    await expect.poll(() => highlight.textContent()).toBe('  return product;');
    await variable('product').waitFor();
    expect(await variable('product').textContent()).toContain('9');
    await lab.shoot('debugger-in-module');
    await press('continue');
    await lab.cell(0).locator('.jp-OutputArea-output', { hasText: 'the end 9' }).waitFor();
    await frames();
  });

  test('a stopped cell can be interrupted', async () => {
    await lab.page.locator('.lm-DockPanel-tabBar .lm-TabBar-tab', { hasText: 'experiment.ipynb' }).click();
    await runCell(0);
    await stopped(0).waitFor();
    // JupyterLab's own buttons for a stopped cell cover that of the toolbar
    await lab.choose('Kernel', /^Interrupt Kernel$/);
    await lab.cell(0).locator('.jp-OutputArea-output', { hasText: 'was interrupted' }).waitFor();
    await frames();
    await lab.run("'still ' + label");
    await lab.output().filter({ hasText: 'still a point' }).waitFor();
  });

  test('a stopped kernel can be restarted, and its breakpoints hold in the next one', async () => {
    await runCell(0);
    await stopped(0).waitFor();
    await lab.choose('Kernel', /^Restart Kernel…$/);
    await at('.jp-Dialog .jp-mod-accept').click();
    await lab.state('Idle');
    await stopped(0).waitFor({ state: 'detached' });
    await runCell(0);
    await stopped(0).waitFor();
    await press('continue');
    await lab.cell(0).locator('.jp-OutputArea-output', { hasText: 'the end 9' }).waitFor();
    await lab.shoot('debugger-restarted');
  });
});
