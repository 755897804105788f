/** Widgets in JupyterLab, with the front ends of ipywidgets and anywidget as they are published. */
import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { anywidgetExtension } from './anywidget-extension.js';
import { codeNotebook } from './notebook.js';
import { NotebookPage, python } from './page.js';

const notebook = codeNotebook({
  slider: `const slider = widget.slider({ min: 0, max: 10, value: 3, description: 'steps' });
slider.on('change', ({ value, old }) => console.log('moved from', old, 'to', value));
slider`,
  button: `let clicks = 0;
const button = widget.button({ description: 'Count', buttonStyle: 'success' });
button.on('click', () => { button.set('description', \`Counted \${++clicks}\`); });
button`,
  progress: `const bar = widget.progress({ max: 4, description: 'epochs', layout: { width: '400px' } });
display(bar);
for (bar.value = 1; bar.value < 3; bar.value++) await new Promise((done) => setTimeout(done, 20));`,
  others: `const choice = widget.select({ options: ['red', 'green'], value: 'red' });
const tick = widget.checkbox({ description: 'verbose' });
const name = widget.text({ placeholder: 'a name' });
name.on('submit', () => console.log('submitted', name.value));
widget.vbox([choice, widget.hbox([tick, name]), widget.html({ value: '<b id="bold">bold</b>' })])`,
  anywidget: `const counter = anywidget({
  esm: \`export default {
    render({ model, el }) {
      const button = document.createElement('button');
      button.className = 'counter';
      const show = () => {
        const bytes = model.get('bytes');
        button.textContent = model.get('count') + ' of ' + [...new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)];
      };
      button.onclick = () => {
        model.set('count', model.get('count') + 1);
        model.set('bytes', new DataView(Uint8Array.of(7, 8, 9).buffer));
        model.save_changes();
        model.send({ hello: 'cell' }, undefined, [Uint8Array.of(1, 2).buffer]);
      };
      model.on('change', show);
      model.on('msg:custom', (message) => { el.dataset.heard = message.text; });
      show();
      el.append(button);
    },
  };\`,
  css: '.counter { color: rgb(1, 2, 3); }',
  state: { count: 41, bytes: Uint8Array.of(1, 2, 3) },
});
counter.on('message', (message, buffers) => console.log(JSON.stringify(message), buffers));
counter`,
});

describe.skipIf(python === undefined)('widgets in JupyterLab', { timeout: 180_000 }, () => {
  let lab: NotebookPage;
  let extensions: string;

  beforeAll(async () => {
    extensions = anywidgetExtension();
    lab = await NotebookPage.open(notebook, { extensions });
    await lab.runAll();
    await lab.cell(4).locator('.counter').waitFor();
  }, 180_000);

  afterAll(async () => {
    await lab?.close();
    rmSync(extensions, { recursive: true, force: true });
  }, 60_000);

  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await lab.shoot(`failed-${task.name.replace(/\W+/g, '-')}`);
  });

  /** The value of an expression in the kernel. */
  const expectValue = async (code: string, text: string) => {
    await lab.run(code);
    await lab.output().filter({ hasText: text }).waitFor();
  };

  test('a slider tells its cell when it moves, and moves when its cell says so', async () => {
    const slider = lab.cell(0).locator('.noUi-handle');
    await slider.focus();
    await lab.page.keyboard.press('ArrowRight');
    await lab.output(0).filter({ hasText: 'moved from 3 to 4' }).waitFor();
    await expectValue('slider.value', '4');
    await lab.run('slider.value = 9');
    await lab
      .cell(0)
      .locator('.noUi-handle[aria-valuetext="9"], .noUi-handle[aria-valuenow="9.0"]')
      .waitFor();
    await lab.output(0).filter({ hasText: 'moved from 4 to 9' }).waitFor();
    await lab.shoot('slider');
  });

  test('a cell that awaits sees the slider move', async () => {
    await lab.run("'now ' + (await slider.next('change')).value");
    await lab.state('Busy');
    await lab.cell(0).locator('.noUi-handle').focus();
    await lab.page.keyboard.press('ArrowLeft');
    await lab.output().filter({ hasText: 'now 8' }).waitFor();
  });

  test('a button calls its listener for each click', async () => {
    const button = lab.cell(1).locator('button.jupyter-button.mod-success');
    await button.click();
    await button.filter({ hasText: 'Counted 1' }).waitFor();
    await button.click();
    await button.filter({ hasText: 'Counted 2' }).waitFor();
  });

  test('a progress bar follows its value, and has the width that its layout says', async () => {
    const bar = lab.cell(2).locator('.progress-bar');
    await expect.poll(() => bar.getAttribute('style')).toContain('width: 75%');
    const box = await lab.cell(2).locator('.widget-hprogress').boundingBox();
    expect(box!.width).toBe(400);
  });

  test('other controls in boxes work both ways', async () => {
    const cell = lab.cell(3);
    await cell.locator('select').selectOption('green');
    await cell.locator('input[type=checkbox]').check();
    await cell.locator('input[type=text]').fill('Ada');
    await lab.page.keyboard.press('Enter');
    await lab.output(3).filter({ hasText: 'submitted Ada' }).waitFor();
    await expectValue('[choice.value, tick.value, name.value].join()', 'green,true,Ada');
    expect(await cell.locator('#bold').textContent()).toBe('bold');
    await lab.run("choice.set({ options: ['blue', 'black'], value: 'black' })");
    await expect.poll(() => cell.locator('select').inputValue()).toBe('black');
    await lab.shoot('controls');
  });

  test('a widget with a front end of its own shares state, bytes and messages with its cell', async () => {
    const counter = lab.cell(4).locator('.counter');
    expect(await counter.textContent()).toBe('41 of 1,2,3');
    const color = "getComputedStyle(document.querySelector('.counter')).color";
    expect(await lab.page.evaluate(color)).toBe('rgb(1, 2, 3)');
    await counter.click();
    await lab.output(4).filter({ hasText: '{"hello":"cell"} [ Uint8Array(2) [ 1, 2 ] ]' }).waitFor();
    await expectValue('JSON.stringify([counter.count, [...counter.bytes]])', '[42,[7,8,9]]');
    await lab.run('counter.set({ count: 0, bytes: Uint8Array.of(255) }); counter.send({ text: "hi" })');
    await counter.filter({ hasText: '0 of 255' }).waitFor();
    await lab.cell(4).locator('[data-heard=hi]').waitFor();
    await lab.shoot('anywidget');
  });

  test('progress is a widget while it moves, and plain output when it is over', async () => {
    await lab.run(`let open; const held = new Promise((done) => { open = done; });
for (const step of progress([1, 2], { label: 'two steps' })) if (step === 2) await held;`);
    const bar = lab.output().locator('.progress-bar');
    await expect.poll(() => bar.getAttribute('style')).toContain('width: 50%');
    await lab.shoot('progress');
    await lab.press('interrupt');
    await lab.output().filter({ hasText: 'KernelInterrupted' }).waitFor();
    await lab.run("for (const _ of progress([1, 2], { label: 'all' }));");
    await lab.output().locator('progress[value="1"]').waitFor();
    await lab.output().filter({ hasText: '2/2 100%' }).waitFor();
    expect(await lab.output().locator('.progress-bar').count()).toBe(0);
  });

  test('widgets are there again after the page was loaded anew', async () => {
    await lab.save();
    await lab.reload();
    await lab.cell(4).locator('.counter').filter({ hasText: '0 of 255' }).waitFor();
    await lab.cell(0).locator('.noUi-handle').focus();
    await lab.page.keyboard.press('ArrowLeft');
    await expectValue('slider.value', '7');
  });

  test('a closed widget leaves the page', async () => {
    await lab.run('button.close(); button');
    await lab.output().filter({ hasText: 'closed button' }).waitFor();
    await lab.cell(1).locator('button.jupyter-button').waitFor({ state: 'detached' });
  });
});
