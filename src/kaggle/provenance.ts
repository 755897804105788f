import { execFileSync } from 'node:child_process';

/** Which state of the source something was built from. */
export interface Provenance {
  /** The commit; `unknown` outside of a repository. */
  readonly commit: string;
  /** When it was made, ISO 8601: a build has no date of its own, so that two of them are equal. */
  readonly date: string;
  /** Files differ from the commit. */
  readonly dirty: boolean;
}

/** Asks git. */
export function provenance(root: string): Provenance {
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [commit = '', date = ''] = git('log', '-1', '--format=%H%n%cI').trim().split('\n');
    const paths = ['src', 'kernel', 'templates', 'package.json', 'package-lock.json'];
    return { commit, date, dirty: git('status', '--porcelain', '--', ...paths).trim() !== '' };
  } catch {
    return { commit: 'unknown', date: 'unknown', dirty: false };
  }
}
