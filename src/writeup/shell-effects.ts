/** @file What running a command does that cannot be undone, as a table of programs. */
import { commandWords, nodesOfType, type ShellNode, type ShellTree } from './shell-grammar.js';

/** What is known of the place where commands run. */
export interface ShellContext {
  readonly parse: (source: string) => ShellTree;
  /** True for a file that is there already. */
  readonly exists: (path: string) => boolean;
}

const DELETES = 'it deletes files';
const OVERWRITES = 'it overwrites files';
const REMOVES = 'it removes software or data';
const SENDS = 'it sends data to another machine';
const REMOTE = 'it works on another machine';
const STOPS = 'it stops programs';
const ENDLESS = 'it does not end by itself';

interface CommandRule {
  /** Names of programs. */
  readonly programs: string;
  /** What the words that are no flags must look like, joined by blanks. */
  readonly words?: RegExp;
  /** What one of all arguments must look like. */
  readonly argument?: RegExp;
  /** What no argument may look like. */
  readonly without?: RegExp;
  readonly reason: string;
}

const RULES: readonly CommandRule[] = [
  { programs: 'rm rmdir shred unlink', reason: DELETES },
  { programs: 'find', argument: /^-delete$/, reason: DELETES },
  { programs: 'rsync', argument: /^--(delete|remove-source-files|del$)/, reason: DELETES },
  { programs: 'tee', without: /^(-[a-z]*a[a-z]*|--append)$/, reason: OVERWRITES },
  { programs: 'dd truncate mkfs mkfs.ext4 mkfs.xfs fdisk parted wipefs', reason: OVERWRITES },
  { programs: 'cp mv ln install', argument: /^(-[a-zA-Z]*f[a-zA-Z]*|--force)$/, reason: OVERWRITES },
  { programs: 'sed perl', argument: /^(-[a-zA-Z]*i.*|--in-place.*)$/, reason: OVERWRITES },
  { programs: 'unzip', argument: /^-[a-z]*o[a-z]*$/, reason: OVERWRITES },

  {
    programs: 'git',
    words: /^(clean|restore|stash (drop|clear|pop)|worktree remove|gc|reflog)\b/,
    reason: DELETES,
  },
  { programs: 'git', words: /^reset\b/, argument: /^--(hard|merge|keep)$/, reason: OVERWRITES },
  {
    programs: 'git',
    words: /^(checkout|switch)\b/,
    argument: /^(-f|--force|--|\.|--discard-changes)$/,
    reason: OVERWRITES,
  },
  {
    programs: 'git',
    words: /^(branch|tag|remote)\b/,
    argument: /^(-[dD]|--delete|rm|remove)$/,
    reason: DELETES,
  },
  { programs: 'git', words: /^(push|send-email)\b/, reason: SENDS },
  { programs: 'gh', words: /^\w+ (create|delete|merge|close|comment|upload|edit)\b/, reason: SENDS },

  {
    programs: 'docker podman',
    words: /^((system|container|image|volume|network|builder|buildx) )?(prune|rm|rmi|remove)\b/,
    reason: REMOVES,
  },
  { programs: 'docker podman', words: /^((compose|container) )?(stop|kill|down)\b/, reason: STOPS },
  { programs: 'docker podman', words: /^(image )?push\b/, reason: SENDS },
  { programs: 'kubectl helm', words: /^(delete|uninstall)\b/, reason: REMOVES },
  {
    programs: 'pip pip3 uv poetry npm pnpm yarn conda mamba micromamba apt apt-get brew cargo gem snap',
    words: /^(pip )?((env|environment) )?(uninstall|remove|purge|autoremove|rm|un|clean)\b/,
    reason: REMOVES,
  },
  { programs: 'npm pnpm yarn twine cargo poetry', words: /^(publish|upload)\b/, reason: SENDS },
  { programs: 'crontab', argument: /^-[a-z]*r/, reason: REMOVES },
  { programs: 'userdel groupdel dropdb', reason: REMOVES },

  { programs: 'aws', words: /^s3(api)? (rm|rb|delete)/, reason: DELETES },
  { programs: 'aws', words: /^s3 (cp|mv|sync)\b.* s3:\/\/\S*$/, reason: SENDS },
  { programs: 'gsutil', words: /^(-m )?(rm|rb)\b/, reason: DELETES },
  { programs: 'gsutil', words: /\bgs:\/\/\S*$/, reason: SENDS },
  { programs: 'gcloud az aws', words: /\b(delete|terminate)(-\w+)*\b/, reason: REMOVES },
  { programs: 'rclone', words: /^(delete|purge|sync|move)\b/, reason: DELETES },
  {
    programs: 'kaggle',
    words:
      /^(k|kernels) push\b|^(d|datasets|models?) .*\b(create|version|update)\b|^(c|competitions) submit\b/,
    reason: SENDS,
  },
  { programs: 'kaggle', words: /\bdelete\b/, reason: REMOVES },
  { programs: 'huggingface-cli hf', words: /^(upload|upload-large-folder|repo create)\b/, reason: SENDS },
  { programs: 'huggingface-cli hf', words: /\bdelete/, reason: REMOVES },
  { programs: 'wandb', words: /^sync\b/, reason: SENDS },
  {
    programs: 'curl',
    argument:
      /^(-X|--request)?(POST|PUT|PATCH|DELETE)$|^(-d|-F|-T|--data.*|--form.*|--upload-file|--json)(=|$)/,
    reason: SENDS,
  },
  { programs: 'wget', argument: /^--(post|body|method)/, reason: SENDS },
  { programs: 'rsync', words: /^\S.*\s(?!\w:\\)\S*[\w}]:\S*$/, reason: SENDS },
  { programs: 'scp sftp ftp', reason: SENDS },
  { programs: 'mail sendmail nc ncat', reason: SENDS },
  { programs: 'ssh mosh telnet ssh-copy-id', reason: REMOTE },

  { programs: 'kill killall pkill shutdown reboot halt poweroff scancel condor_rm', reason: STOPS },
  { programs: 'systemctl service', words: /\b(stop|restart|disable|mask)\b/, reason: STOPS },
  { programs: 'tmux', words: /^kill-/, reason: STOPS },

  { programs: 'watch top htop nvtop yes', reason: ENDLESS },
  { programs: 'tail', argument: /^(-[a-zA-Z]*[fF]|--follow.*)$/, reason: ENDLESS },
  { programs: 'nvidia-smi', argument: /^(-l|--loop.*|dmon|pmon)$/, reason: ENDLESS },
];

/** Programs that run the command that follows them. */
const WRAPPERS = new Set(
  'sudo doas env nice nohup time exec command builtin xargs timeout stdbuf ionice setsid chronic then do else'.split(
    ' ',
  ),
);
const SHELLS = new Set(['sh', 'bash', 'zsh', 'dash', 'ksh']);
const baseName = (word: string) => word.replace(/^.*\//, '');

type Words = readonly (string | undefined)[];

/** The command that a wrapper such as `sudo -u me` or `timeout 5` runs. */
function wrapped(words: Words): Words {
  const next = words.findIndex(
    (word, i) =>
      i > 0 &&
      word !== undefined &&
      !/^-|^\d+[smhd]?$|^\w+=/.test(word) &&
      !/^-[uIn]$/.test(words[i - 1] ?? ''),
  );
  return next < 0 ? [] : words.slice(next);
}

/** Why a command should not be repeated, by its words; `undefined` where it may be repeated. */
function effectOfWords(words: Words, context: ShellContext): string | undefined {
  const [first, ...rest] = words;
  if (first === undefined) return undefined;
  const program = baseName(first);
  if (WRAPPERS.has(program)) {
    const inner = effectOfWords(wrapped(words), context);
    if (inner !== undefined) return inner;
  }
  const python = /^python[\d.]*$/.test(program) && rest[0] === '-m';
  if (python) return effectOfWords(rest.slice(1), context);
  if (program === 'eval') {
    return rest.includes(undefined) ? undefined : effectOf(context.parse(rest.join(' ')).root, context);
  }
  // bash -c "…", also as the command of docker run
  const shell = words.findIndex((word) => word !== undefined && SHELLS.has(baseName(word)));
  const script = shell < 0 ? -1 : words.findIndex((word, i) => i > shell && /^-[a-z]*c$/.test(word ?? ''));
  if (script >= 0 && words[script + 1] !== undefined) {
    const inner = effectOf(context.parse(words[script + 1]!).root, context);
    if (inner !== undefined) return inner;
  }
  const exec = program === 'find' ? words.findIndex((word) => /^-(exec|execdir|ok)$/.test(word ?? '')) : -1;
  if (exec >= 0) {
    const inner = effectOfWords(words.slice(exec + 1), context);
    if (inner !== undefined) return inner;
  }
  const args = rest.map((word) => word ?? '…');
  const plain = args.filter((word) => !word.startsWith('-')).join(' ');
  return RULES.find(
    (rule) =>
      rule.programs.split(' ').includes(program) &&
      (rule.words === undefined || rule.words.test(plain)) &&
      (rule.argument === undefined || args.some((word) => rule.argument!.test(word))) &&
      (rule.without === undefined || !args.some((word) => rule.without!.test(word))),
  )?.reason;
}

/** True for a loop whose condition always holds. */
function isEndless({ type, children }: ShellNode): boolean {
  if (type === 'c_style_for_statement') {
    const condition = children.filter((child) => child.type === ';');
    return condition.length >= 2 && condition[0]!.end === condition[1]!.start;
  }
  if (type !== 'while_statement') return false;
  const loop = `${children[0]?.text} ${children[1]?.text}`;
  return /^(while (true|:|\[ 1 \]|\(\(\s*1\s*\)\))|until false)$/.test(loop);
}

/** The words of the file that a redirection empties; appending and devices are harmless. */
function overwritten(redirect: ShellNode): string | undefined {
  const operator = redirect.children.find(({ type }) => /^(>|>\||&>)$/.test(type));
  const target = redirect.children.at(-1);
  if (operator === undefined || target === undefined || target.text.startsWith('/dev/')) return undefined;
  return target.type === 'word' ? target.text : undefined;
}

/** Why a piece of bash should not be repeated: the first reason that one of its commands gives. */
export function effectOf(node: ShellNode, context: ShellContext): string | undefined {
  for (const command of nodesOfType(node, 'command')) {
    const words = commandWords(command).map(({ value }) => value);
    const reason = effectOfWords(words, context);
    if (reason !== undefined) return reason;
  }
  if (nodesOfType(node, 'while_statement', 'c_style_for_statement').some(isEndless)) return ENDLESS;
  const target = nodesOfType(node, 'file_redirect')
    .map(overwritten)
    .find((path) => path !== undefined && context.exists(path));
  return target === undefined ? undefined : `it overwrites ${target}, which exists`;
}
