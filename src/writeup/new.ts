import { readdirSync } from 'node:fs';
import nunjucks from 'nunjucks';
import template from '../../templates/writeup/iteration.md.njk';
import { WriteupError } from './errors.js';

/** A write-up that does not exist yet. */
export interface NewWriteup {
  readonly number: number;
  /** The name of its file without an ending, such as `23-more-tasks`. */
  readonly name: string;
  readonly markdown: string;
}

/** `Learning the inputs' distribution` → `learning-the-inputs-distribution`. */
function slugOf(title: string): string {
  return title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/['’\p{M}]/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
}

/**
 * Starts the next write-up of a folder from the template: its number is one more than the largest there.
 * @param date of its heading, such as `2026-01-31`.
 * @throws {WriteupError} when the title has no letter or digit.
 */
export function newWriteup(title: string, folder: string, date: string): NewWriteup {
  const slug = slugOf(title);
  if (slug === '') {
    throw new WriteupError(
      `A title with letters or digits is needed to name the file; this one is "${title}".`,
    );
  }
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const number = 1 + Math.max(0, ...names.map((name) => Number(/^(\d+)-/.exec(name)?.[1] ?? 0)));
  const markdown = new nunjucks.Environment(null, { autoescape: false }).renderString(template, {
    number,
    // a line break would end the heading, and what follows could be a block of commands
    title: title.trim().replace(/\s+/g, ' '),
    date,
  });
  return { number, name: `${String(number).padStart(2, '0')}-${slug}`, markdown };
}
