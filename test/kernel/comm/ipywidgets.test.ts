/** The controls against ipywidgets itself. */
import { describe, expect, test } from 'vitest';
import { type Control, controls } from '../../../kernel/comm/controls.js';
import { controlKind, styleKind } from '../../../kernel/comm/kinds.js';
import { pythonWith } from '../../prerequisites/index.js';
import { runPython } from '../python.js';

const python = pythonWith('ipywidgets');
const script = `
import json, sys, ipywidgets
def state(widget):
    return {key: value for key, value in widget.get_state().items() if isinstance(key, str)}
print(json.dumps({name: {'state': state(w), 'layout': state(w.layout), 'style': state(w.style) if hasattr(w, 'style') else None}
    for name in json.load(sys.stdin) for w in [getattr(ipywidgets, name)()]}))`;

const byClass: Record<string, Control> = Object.fromEntries(
  Object.values(controls).map((control: Control) => [control.model, control]),
);

type States = Record<'state' | 'layout' | 'style', Record<string, unknown>>;

describe.skipIf(python === undefined)(
  'controls have the models, properties and defaults of ipywidgets',
  () => {
    const theirs = python
      ? (runPython(python, script, JSON.stringify(Object.keys(byClass))) as Record<string, States>)
      : {};

    test.each(Object.entries(byClass))('%s', (name, control) => {
      const { fixed, toClient } = controlKind(name, control);
      const ours: Record<string, unknown> = { ...fixed, ...toClient(control.defaults, control.defaults) };
      const { state, layout, style } = theirs[name]!;
      for (const [key, value] of Object.entries(ours)) {
        expect(state, key).toHaveProperty(key);
        // a zero-width space stands for nothing there, and what refers to other widgets is compared below
        if (key !== 'layout' && key !== 'style')
          expect(value, key).toEqual(state[key] === '\u200b' ? '' : state[key]);
      }
      expect(layout).toMatchObject(styleKind('Layout').fixed);
      if (control.style !== undefined) expect(style).toMatchObject(styleKind(control.style).fixed);
      else expect(style).toBeNull();
    });
  },
);
