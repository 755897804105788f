// %% [markdown]
// # A prompt kind of one's own
//
// A prompt kind is the turns of a chat around the grids of a task. This one asks in Spanish. `showPrompt` colours what
// each part of it is.

// %%
import {
  baseModelFolder,
  definePromptKind,
  generateTasks,
  loadTokenizer,
  PromptBuilder,
  parseGridEncoder,
  showPrompt,
} from 'arclab';

const kind = definePromptKind(
  'output-from-examples-es',
  'output-from-examples',
  `{% set user %}
{% for sample in train %}
Entrada:
{{ sample.input }}
Salida:
{{ sample.output }}
{% endfor %}
Entrada:
{{ test }}
Salida:
{% endset %}
{% set assistant %}{{ answer }}{% endset %}`,
);

// %%
const [variants] = generateTasks({ count: 1, seed: 3, generators: ['flip-left-right'], maxSize: 5 }).values();
const prompts = new PromptBuilder({
  tokenizer: loadTokenizer(baseModelFolder()),
  encoder: parseGridEncoder('MinimalGridEncoder()'),
  kind,
});
showPrompt(prompts, variants[0], 0);
