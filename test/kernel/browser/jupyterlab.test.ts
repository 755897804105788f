/** What a person does in JupyterLab, in a real browser on the real kernel. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { notebook } from './notebook.js';
import { NotebookPage, python } from './page.js';

describe.skipIf(python === undefined)('JupyterLab', { timeout: 180_000 }, () => {
  let lab: NotebookPage;

  beforeAll(async () => {
    lab = await NotebookPage.open(notebook);
  }, 180_000);

  afterAll(() => lab?.close(), 60_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await lab.shoot(`failed-${task.name.replace(/\W+/g, '-')}`);
  });

  test('runs all cells and shows a result, a plot and a picture', async () => {
    await lab.runAll();
    await lab.output(3).filter({ hasText: 'all cells ran' }).waitFor();
    expect(await lab.output(0).textContent()).toContain('42');
    const plot = lab.cell(1).locator('.vega-embed canvas, .vega-embed svg.marks').first();
    await plot.waitFor();
    expect((await plot.boundingBox())!.width).toBeGreaterThan(100);
    const picture = lab.cell(2).locator('.jp-RenderedSVG img, .jp-RenderedSVG svg').first();
    await picture.waitFor();
    expect((await picture.boundingBox())!.width).toBeGreaterThanOrEqual(80);
    await lab.shoot('ran');
  });

  test('Tab completes a name', async () => {
    await lab.append('measurem');
    const editor = lab.panel.locator('.jp-CodeCell').last().locator('.cm-content');
    const list = lab.page.locator('.jp-Completer .jp-Completer-item');
    await lab.page.keyboard.press('Tab');
    // a single match is put in at once; a list waits for Enter
    await Promise.race([list.first().waitFor(), editor.filter({ hasText: 'measurements' }).waitFor()]);
    await lab.shoot('completion');
    if (await list.first().isVisible()) await lab.page.keyboard.press('Enter');
    await editor.filter({ hasText: 'measurements' }).waitFor();
  });

  test('interrupts a loop, and what was there stays', async () => {
    await lab.run('while (true) {}');
    await lab.state('Busy');
    await lab.press('interrupt');
    await lab
      .output()
      .filter({ hasText: /interrupt/i })
      .waitFor();
    await lab.run('"kept " + measurements.length');
    await lab.output().filter({ hasText: 'kept 3' }).waitFor();
    await lab.shoot('interrupted');
  });

  test('restarts into an empty kernel', async () => {
    await lab.press('restart');
    await lab.page.locator('.jp-Dialog .jp-mod-accept').click();
    await lab.state('Idle');
    await lab.run('typeof measurements');
    await lab.output().filter({ hasText: 'undefined' }).waitFor();
    await lab.shoot('restarted');
  });

  test('a kernel that dies says so below its cell, and is started anew', async () => {
    await lab.run("console.log('before'); process.kill(process.pid, 'SIGSEGV'); while (true);");
    await lab.output().filter({ hasText: 'KernelDied' }).waitFor();
    await lab.output().filter({ hasText: 'before' }).waitFor();
    await lab.shoot('died');
    const dialog = lab.page.locator('.jp-Dialog').filter({ hasText: 'died' });
    await dialog.locator('.jp-mod-accept').click();
    await lab.state('Idle');
    await lab.run('typeof measurements');
    await lab.output().filter({ hasText: 'undefined' }).waitFor();
  });
});
