/**
 * `name?` or `?name`, as notebooks of other languages have it: the cell asks for documentation instead of
 * running. Neither is TypeScript.
 * @returns the expression that is asked about, if the cell is such a question
 */
export function pageOf(code: string): string | undefined {
  const path = '[\\p{ID_Start}$_][\\p{ID_Continue}$.]*';
  const match = new RegExp(`^\\s*(?:(${path})\\?{1,2}|\\?{1,2}(${path}))\\s*$`, 'u').exec(code);
  return match?.[1] ?? match?.[2];
}
