/** @file What many options have in common: spread into a table, with what is particular to each beside it. */

/** How many of something. */
export const count = { type: 'integer', minimum: 1, value: 'n' } as const;

/** A duration, which the command line also reads as `90m`. */
export const seconds = { type: 'number', form: 'seconds', value: 'duration' } as const;

/** Names or other texts. */
export const texts = { type: 'array', items: { type: 'string' } } as const;

export const folder = { type: 'string', value: 'folder' } as const;

export const file = { type: 'string', value: 'file' } as const;

/** Files by their names of earlier versions, too. */
export const inputFile = { ...file, formerly: ['inputFilepath'] } as const;
export const outputFile = { ...file, formerly: ['outputFilepath'] } as const;
export const htmlFile = { ...file, formerly: ['htmlFilepath'] } as const;
