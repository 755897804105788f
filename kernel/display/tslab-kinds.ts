/** The kinds of content that tslab's display has a function for: MIME types, and the type of what each is given. */
export const tslabKinds = {
  javascript: ['text/javascript', 'source: string'],
  html: ['text/html', 'html: string'],
  markdown: ['text/markdown', 'text: string'],
  latex: ['text/latex', 'text: string'],
  svg: ['image/svg+xml', 'svg: string'],
  png: ['image/png', 'image: Uint8Array'],
  jpeg: ['image/jpeg', 'image: Uint8Array'],
  gif: ['image/gif', 'image: Uint8Array'],
  webp: ['image/webp', 'image: Uint8Array'],
  pdf: ['application/pdf', 'document: Uint8Array'],
  text: ['text/plain', 'text: string'],
} as const;
