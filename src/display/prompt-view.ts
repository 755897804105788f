import type { Task } from '../arc/types.js';
import type { PromptBuilder, PromptPart } from '../prompts/prompt-builder.js';
import { type Displayable, htmlDisplay } from './displayable.js';
import { escapeXml } from './picture.js';

/** The colour of each role: readable on light and dark paper, since only the background is coloured. */
const COLORS: Readonly<Record<PromptPart['role'], string>> = {
  system: '#CC79A755',
  user: '#0072B255',
  assistant: '#E69F0055',
  template: '#8a8f9855',
  answer: '#009E7366',
};

const MEANING: Readonly<Record<PromptPart['role'], string>> = {
  system: 'system',
  user: 'user',
  assistant: "assistant's lead-in",
  template: 'chat template',
  answer: 'answer: what the loss sees',
};

/** The prompt's tokens with the part that each begins in. */
function tokensOf(builder: PromptBuilder, task: Task, testIndex: number) {
  const parts = builder.parts(task, testIndex);
  let part = 0;
  // where the current part ends in the text
  let end = parts[0]?.text.length ?? 0;
  let position = 0;
  return builder.training(task, testIndex).tokens.map((id) => {
    while (position >= end && part + 1 < parts.length) end += parts[++part]!.text.length;
    const text = builder.tokenizer.tokenText(id);
    position += text.length;
    return { role: parts[part]!.role, text };
  });
}

/**
 * The training prompt of a task to look at: each token in the colour of its role, with a thin line
 * where it ends; the answer, which is all that the loss sees, underlined. The legend counts tokens.
 */
export function showPrompt(builder: PromptBuilder, task: Task, testIndex = 0): Displayable {
  const tokens = tokensOf(builder, task, testIndex);
  const roles = [...new Set(tokens.map(({ role }) => role))];
  const counts = roles.map((role) => ({ role, count: tokens.filter((token) => token.role === role).length }));
  const legend = counts.map(
    ({ role, count }) =>
      `<span style="background:${COLORS[role]};display:inline-block;padding:1px 6px;margin:0 8px 2px 0">${MEANING[role]}: ${count} tokens</span>`,
  );
  const html = tokens.map(({ role, text }) => {
    const line = role === 'answer' ? ';text-decoration:underline' : '';
    return `<span style="background:${COLORS[role]}${line};border-right:1px solid #8a8f9888">${escapeXml(text).replaceAll('\n', '↵\n')}</span>`;
  });
  return htmlDisplay(
    `<div style="font:12px sans-serif;margin-bottom:6px">${legend.join('')}</div>` +
      // JupyterLab breaks the lines of a <pre> anywhere; here only between words, unless one is wider than the page
      `<pre style="font:12px/1.5 ui-monospace,monospace;white-space:pre-wrap;word-break:normal;overflow-wrap:break-word;margin:0">${html.join('')}</pre>`,
    `${counts.map(({ role, count }) => `${MEANING[role]}: ${count} tokens`).join(', ')}\n\n` +
      tokens.map(({ text }) => text).join(''),
  );
}
