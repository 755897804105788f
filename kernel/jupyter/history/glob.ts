/** A pattern of the shell over a whole text, as SQLite's GLOB has it: `*`, `?`, `[a-z]` and `[^a-z]`. */
export function globPattern(pattern: string): RegExp {
  const source = pattern.replace(
    /\[(\^?)(\]?[^\]]*)\]|[\s\S]/g,
    (all, not: string | undefined, set?: string) => {
      if (set !== undefined && set !== '') return `[${not}${set.replace(/[\\\]^[]/g, '\\$&')}]`;
      if (all === '*') return '[\\s\\S]*';
      if (all === '?') return '[\\s\\S]';
      return all.replace(/[\\^$.|+()[\]{}*?/]/g, '\\$&');
    },
  );
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch {
    // a range such as [z-a], which nothing is in
    return /(?!)/;
  }
}
