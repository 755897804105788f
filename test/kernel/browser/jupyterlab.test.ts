/** What a person does in JupyterLab, in a real browser on the real kernel. */
import { existsSync, mkdirSync } from 'node:fs';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { jupyterPython } from '../python.js';
import { type JupyterLab, startJupyterLab } from './jupyterlab.js';
import { notebook } from './notebook.js';

const executable = process.env.ARCLAB_CHROMIUM ?? '/usr/bin/chromium';
const python = jupyterPython();
const hasBrowser = existsSync(executable);
if (!hasBrowser && process.env.ARCLAB_REQUIRED_JUPYTER === '1') {
  throw new Error(`a browser is required here, but there is no ${executable}; ARCLAB_CHROMIUM names another`);
}
if (!hasBrowser) process.stderr.write(`SKIPPED, because there is no browser ${executable}\n`);

/** Where pictures of the page go, for people; nothing is compared with them. */
const pictures = process.env.ARCLAB_SCREENSHOTS;

describe.skipIf(!hasBrowser || python === undefined)('JupyterLab', { timeout: 180_000 }, () => {
  let lab: JupyterLab;
  let browser: Browser;
  let page: Page;
  let panel: Locator;

  const cell = (index: number) => panel.locator('.jp-CodeCell').nth(index);
  const shoot = async (name: string) => {
    if (!pictures) return;
    mkdirSync(pictures, { recursive: true });
    await page.screenshot({ path: `${pictures}/${name}.png` });
  };
  /** Puts code into a new cell at the end. */
  const append = async (code: string) => {
    await panel.locator('.jp-CodeCell').last().locator('.cm-content').click();
    await page.keyboard.press('Escape');
    await page.keyboard.press('b');
    await page.keyboard.press('Enter');
    await page.keyboard.insertText(code);
  };
  // the status bar, because the indicator of the notebook is idle before there is a kernel
  const state = (name: string) => page.getByText(`TypeScript (arclab) | ${name}`).waitFor();

  beforeAll(async () => {
    lab = await startJupyterLab(python!, notebook);
    browser = await chromium.launch({
      executablePath: executable,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
    page.setDefaultTimeout(30_000);
    await page.goto(`${lab.url}/lab/tree/experiment.ipynb`);
    panel = page.locator('.jp-NotebookPanel');
    await panel.locator('.jp-CodeCell').first().waitFor();
    await state('Idle');
  }, 180_000);

  afterAll(async () => {
    await browser?.close();
    await lab?.stop();
  }, 60_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await shoot(`failed-${task.name.replace(/\W+/g, '-')}`);
  });

  test('runs all cells and shows a result, a plot and a picture', async () => {
    await page.locator('.lm-MenuBar-itemLabel', { hasText: /^Run$/ }).click();
    await page.locator('.lm-Menu-itemLabel', { hasText: /^Run All Cells$/ }).click();
    await cell(3).locator('.jp-OutputArea-output', { hasText: 'all cells ran' }).waitFor();
    expect(await cell(0).locator('.jp-OutputArea-output').textContent()).toContain('42');
    const plot = cell(1).locator('.vega-embed canvas, .vega-embed svg.marks').first();
    await plot.waitFor();
    expect((await plot.boundingBox())!.width).toBeGreaterThan(100);
    const picture = cell(2).locator('.jp-RenderedSVG img, .jp-RenderedSVG svg').first();
    await picture.waitFor();
    expect((await picture.boundingBox())!.width).toBeGreaterThanOrEqual(80);
    await shoot('ran');
  });

  test('Tab completes a name', async () => {
    await append('measurem');
    const editor = panel.locator('.jp-CodeCell').last().locator('.cm-content');
    const list = page.locator('.jp-Completer .jp-Completer-item');
    await page.keyboard.press('Tab');
    // a single match is put in at once; a list waits for Enter
    await Promise.race([list.first().waitFor(), editor.filter({ hasText: 'measurements' }).waitFor()]);
    await shoot('completion');
    if (await list.first().isVisible()) await page.keyboard.press('Enter');
    await editor.filter({ hasText: 'measurements' }).waitFor();
  });

  test('interrupts a loop, and what was there stays', async () => {
    await append('while (true) {}');
    await page.keyboard.press('Control+Enter');
    await state('Busy');
    await page
      .locator('[data-command="notebook:interrupt-kernel"], [title^="Interrupt the kernel"]')
      .first()
      .click();
    const output = panel.locator('.jp-CodeCell').last().locator('.jp-OutputArea-output');
    await output.filter({ hasText: /interrupt/i }).waitFor();
    await append('"kept " + measurements.length');
    await page.keyboard.press('Control+Enter');
    await panel
      .locator('.jp-CodeCell')
      .last()
      .locator('.jp-OutputArea-output', { hasText: 'kept 3' })
      .waitFor();
    await shoot('interrupted');
  });

  test('restarts into an empty kernel', async () => {
    await page
      .locator('[data-command="notebook:restart-kernel"], [title^="Restart the kernel"]')
      .first()
      .click();
    await page.locator('.jp-Dialog .jp-mod-accept').click();
    await state('Idle');
    await append('typeof measurements');
    await page.keyboard.press('Control+Enter');
    await panel
      .locator('.jp-CodeCell')
      .last()
      .locator('.jp-OutputArea-output', { hasText: 'undefined' })
      .waitFor();
    await shoot('restarted');
  });
});
