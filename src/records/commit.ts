import { spawnSync } from 'node:child_process';

/** Milliseconds that git may take: a run does not wait for a repository on a slow disk. */
const PATIENCE = 5000;

/**
 * The commit of the repository that a folder is in: 40 hexadecimal digits, with `-dirty` where tracked files differ
 * from it; undefined outside of a repository, before its first commit, and without git.
 */
export function commitOf(folder: string): string | undefined {
  const { status, stdout } = spawnSync(
    'git',
    // no tag matches the empty pattern: always the digits
    ['describe', '--always', '--abbrev=40', '--dirty', '--match', ''],
    { cwd: folder, encoding: 'utf8', timeout: PATIENCE, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const commit = stdout?.trim();
  return status === 0 && /^[0-9a-f]{40}(-dirty)?$/.test(commit) ? commit : undefined;
}
