import { mkdirSync } from 'node:fs';
import { type Browser, chromium, type Locator, type Page } from 'playwright-core';
import { programUnderTest, pythonWith } from '../../prerequisites/index.js';
import { type JupyterLab, type LabOptions, startJupyterLab } from './jupyterlab.js';

const executable = programUnderTest('browser');
const jupyter = pythonWith('jupyterlab');

/** The Python with JupyterLab, where a browser is there, too; undefined where these tests have to be skipped. */
export const python = executable === undefined ? undefined : jupyter;

/** Where pictures of the page go, for people; nothing is compared with them. */
const pictures = process.env.ARCLAB_SCREENSHOTS;

const flags = ['no-sandbox', 'disable-gpu', 'disable-quic', 'no-first-run', 'disable-sync'];
const quiet = ['disable-background-networking', 'disable-component-update'];

/** A notebook in a JupyterLab of its own, in a browser of its own. */
export class NotebookPage {
  readonly page: Page;
  readonly panel: Locator;
  readonly #lab: JupyterLab;
  readonly #browser: Browser;

  private constructor(lab: JupyterLab, browser: Browser, page: Page) {
    this.#lab = lab;
    this.#browser = browser;
    this.page = page;
    this.panel = page.locator('.jp-NotebookPanel');
  }

  /** Opens a notebook, and waits until its kernel is idle. */
  static async open(notebook: object, options: LabOptions = {}): Promise<NotebookPage> {
    const lab = await startJupyterLab(python!, notebook, options);
    const args = [...flags, ...quiet].map((flag) => `--${flag}`);
    const browser = await chromium.launch({ executablePath: executable!, args });
    const page = await browser.newPage({ viewport: { width: 1200, height: 1000 } });
    page.setDefaultTimeout(30_000);
    const opened = new NotebookPage(lab, browser, page);
    await page.goto(`${lab.url}/lab/tree/experiment.ipynb`);
    await opened.panel.locator('.jp-CodeCell').first().waitFor();
    await opened.state('Idle');
    return opened;
  }

  cell(index: number): Locator {
    return this.panel.locator('.jp-CodeCell').nth(index);
  }

  /** What a cell shows; the last one without an index. */
  output(index = -1): Locator {
    const cells = this.panel.locator('.jp-CodeCell');
    return (index < 0 ? cells.last() : cells.nth(index)).locator('.jp-OutputArea-output');
  }

  /** Waits for a state of the kernel: in the status bar, because the notebook's own is idle before there is a kernel. */
  state(name: string): Promise<void> {
    return this.page.getByText(`TypeScript (arclab) | ${name}`).waitFor();
  }

  /** Puts code into a new cell at the end. */
  async append(code: string): Promise<void> {
    await this.panel.locator('.jp-CodeCell').last().locator('.cm-content').click();
    await this.page.keyboard.press('Escape');
    await this.page.keyboard.press('b');
    await this.page.keyboard.press('Enter');
    await this.page.keyboard.insertText(code);
  }

  /** Puts code into a new cell at the end, and runs it. */
  async run(code: string): Promise<void> {
    await this.append(code);
    await this.page.keyboard.press('Control+Enter');
  }

  runAll(): Promise<void> {
    return this.choose('Run', /^Run All Cells$/);
  }

  /** Chooses an item of a menu. */
  async choose(menu: string, item: RegExp): Promise<void> {
    await this.page.locator('.lm-MenuBar-itemLabel', { hasText: new RegExp(`^${menu}$`) }).click();
    await this.page.locator('.lm-Menu-itemLabel', { hasText: item }).click();
  }

  /** Presses a button of the notebook's toolbar. */
  async press(command: 'interrupt' | 'restart'): Promise<void> {
    const title = command === 'interrupt' ? 'Interrupt the kernel' : 'Restart the kernel';
    const button = `[data-command="notebook:${command}-kernel"], [title^="${title}"]`;
    await this.page.locator(button).first().click();
  }

  /** Saves the notebook, and waits until the server has it: a page that is loaded anew earlier gets the old file. */
  async save(): Promise<void> {
    const saved = this.page.waitForResponse(
      (response) => response.request().method() === 'PUT' && response.url().includes('/api/contents/'),
    );
    await this.page.keyboard.press('Control+s');
    await saved;
  }

  /** Loads the page anew, and waits until all cells are there: JupyterLab adds them one by one. */
  async reload(): Promise<void> {
    const cells = await this.panel.locator('.jp-CodeCell').count();
    await this.page.reload();
    await this.cell(cells - 1).waitFor();
    await this.state('Idle');
  }

  async shoot(name: string): Promise<void> {
    if (!pictures) return;
    mkdirSync(pictures, { recursive: true });
    await this.page.screenshot({ path: `${pictures}/${name}.png` });
  }

  async close(): Promise<void> {
    await this.#browser.close();
    await this.#lab.stop();
  }
}
