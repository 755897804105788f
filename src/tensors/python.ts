import { execFileSync } from 'node:child_process';

/**
 * The folder of a package of the given Python, or of the active one: asks where it is, without importing it.
 * @returns null when there is no such Python or package
 */
export function packageOfPython(name: string, python?: string): string | null {
  const script = `import importlib.util as u; s = u.find_spec("${name}"); print(s.submodule_search_locations[0] if s else "")`;
  for (const command of python ? [python] : ['python3', 'python']) {
    try {
      const folder = execFileSync(command, ['-c', script], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 10_000,
      }).trim();
      if (folder) return folder;
    } catch {
      // no such Python
    }
  }
  return null;
}
