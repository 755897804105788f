/** Notebooks as files: read, checked, upgraded, edited without touching what is not edited. */
export { type Cell, NotebookDocument } from './document.js';
export { joinLines, type MimeBundle, type Output, sorted, splitLines } from './outputs.js';
export { parseNotebook, type ReadNotebook, readNotebook } from './read.js';
