/** @file What is missing in a training stream that chance does not explain, and what a person should know of it. */
import type { PromptTask } from '../prompts/prompt-kind.js';
import { isAboutTest, samplesOf } from '../prompts/prompt-tasks.js';
import type { PairAudit, StreamAudit, TaskAudit } from './audit.js';
import type { FineTuneConfig } from './options.js';
import { changesFor, type TrainingAugmentation } from './training-data.js';

/** What a finding is about; there is at most one of a kind for each data set in each prompt kind. */
export type FindingKind =
  | 'never-target'
  | 'never-seen'
  | 'never-drawn'
  | 'too-long'
  | 'augmentation'
  | 'target-shown'
  | 'end-not-learned'
  | 'answers'
  | 'walk';

/** Something that an audit found, in one line. */
export interface AuditFinding {
  readonly kind: FindingKind;
  /** `hole`: what should be learned is not, and chance does not explain it; `note`: good to know. */
  readonly severity: 'hole' | 'note';
  readonly text: string;
}

/** The options of a run that say what its stream should hold. */
export type StreamIntent = Omit<TrainingAugmentation, 'taskAugmentationWeights'> &
  Pick<FineTuneConfig, 'maxSeqLen'>;

/** A hole is called one when chance alone would give it in fewer than one of so many audits. */
const AUDITS = 1e6;
/** Train samples that a task without test samples shows on average: 2 to 5 are drawn. */
const SHOWN_OF_MANY = 3.5;

/** Independent events, each of which has some probability not to have happened in the samples that were looked at. */
interface Missing {
  readonly all: number;
  readonly missing: number;
  /** How many are missing by chance on average. */
  readonly expected: number;
  /** How often they happen on average, all together. */
  readonly occurrences: number;
}

/** Whether chance leaves out so many of them in fewer than one of {@link AUDITS}. */
function isUnlikely({ all, missing, expected, occurrences }: Missing): boolean {
  if (all > 0 && missing === all && occurrences > Math.log(AUDITS)) return true;
  // Chernoff's bound
  return missing > expected && missing * Math.log(missing / expected) - missing + expected > Math.log(AUDITS);
}

function missingOf(events: readonly { count: number; draws: number; probability: number }[]): Missing {
  const possible = events.filter(({ probability }) => probability > 0);
  return {
    all: possible.length,
    missing: possible.filter(({ count }) => count === 0).length,
    expected: possible.reduce((sum, { draws, probability }) => sum + Math.exp(-draws * probability), 0),
    occurrences: possible.reduce((sum, { draws, probability }) => sum + draws * probability, 0),
  };
}

type SetName = 'train' | 'test';

/** How likely a sample of a set of a task is the target of a prompt of that task, and how likely it is in it at all. */
function chances(
  { train, test, knownTests }: TaskAudit,
  set: SetName,
  { asksFor, swap }: { asksFor: PromptTask; swap: boolean },
): { target: number; seen: number } {
  const [trainCount, testCount] = [train.targets.length, test.targets.length];
  const shows = samplesOf(asksFor);
  const asked = Number(isAboutTest(asksFor));
  const showsTrain = Number(shows !== 'none');
  if (testCount === 0) {
    const shown = Math.min(SHOWN_OF_MANY, trainCount - 1) * showsTrain;
    return { target: asked / trainCount, seen: (asked + shown) / trainCount };
  }
  const showsAll = shows === 'train and other tests';
  const known = trainCount + knownTests;
  if (swap && knownTests > 0) {
    // a prompt asks for one of the test samples, which are drawn among all of known output
    const target = (asked * knownTests) / testCount / known;
    return { target, seen: showsAll ? 1 : (showsTrain * trainCount) / known + target };
  }
  if (set === 'train') return { target: 0, seen: showsTrain };
  return { target: asked / testCount, seen: showsAll ? 1 : asked / testCount };
}

const amount = (count: number, what: string): string =>
  `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
const part = ({ missing, all }: Missing, what: string): string =>
  missing === all
    ? `none of the ${amount(all, what)} is`
    : `${missing.toLocaleString('en')} of ${amount(all, what)} are not`;

/** Everything that is to be said of one data set in one prompt kind. */
function pairFindings(pair: PairAudit, audit: StreamAudit, intent: StreamIntent): AuditFinding[] {
  const findings: AuditFinding[] = [];
  const name = `${pair.dataset} (${pair.kind})`;
  const add = (kind: FindingKind, severity: AuditFinding['severity'], text: string) =>
    findings.push({ kind, severity, text: `${name}: ${text}` });
  const looked = `in ${amount(pair.samples, 'sample')}`;
  const byChance = ({ expected }: Missing) => `about ${Math.round(expected)} would be by chance`;
  const { swapTrainAndTest: swap } = intent;

  for (const set of ['train', 'test'] as const) {
    const events = pair.tasks.flatMap((task) => {
      const { target, seen } = chances(task, set, { asksFor: pair.asksFor, swap });
      return task[set].targets.map((targets, i) => ({
        target: { count: targets, draws: task.samples, probability: target },
        seen: { count: targets + task[set].shown[i]!, draws: task.samples, probability: seen },
      }));
    });
    const targets = missingOf(events.map(({ target }) => target));
    const seen = missingOf(events.map(({ seen }) => seen));
    if (isUnlikely(targets)) {
      add(
        'never-target',
        'hole',
        `${part(targets, `${set} sample`)} ever a target ${looked}, ${byChance(targets)}`,
      );
    }
    if (isUnlikely(seen)) {
      add('never-seen', 'hole', `${part(seen, `${set} sample`)} ever seen ${looked}, ${byChance(seen)}`);
    }
    if (set === 'train' && events.length > 0 && targets.all === 0 && isAboutTest(pair.asksFor)) {
      const shown = seen.all === 0 ? 'neither shown nor' : 'shown and never';
      const text = `train samples are ${shown} targets, as \`swapTrainAndTest: false\` asks`;
      add('never-target', 'note', text);
    }
  }

  const draws = pair.samples + pair.tooLong;
  const ids = [...new Set(pair.tasks.map(({ taskId }) => taskId))];
  const drawnIds = new Set(
    pair.tasks.flatMap(({ taskId, samples, tooLong }) => (samples + tooLong > 0 ? [taskId] : [])),
  );
  const undrawn = missingOf(
    ids.map((id) => ({ count: Number(drawnIds.has(id)), draws, probability: 1 / ids.length })),
  );
  const whole = missingOf([{ count: draws, draws: audit.samples, probability: pair.share }]);
  if (draws === 0) {
    add(
      'never-drawn',
      isUnlikely(whole) ? 'hole' : 'note',
      `never drawn in ${amount(audit.samples, 'sample')}`,
    );
  } else if (undrawn.missing > 0) {
    const severity = isUnlikely(undrawn) ? 'hole' : 'note';
    const text = `${part(undrawn, 'task')} drawn ${looked}, ${byChance(undrawn)}`;
    add('never-drawn', severity, severity === 'note' ? `${text}; more steps reach them` : text);
  }
  const unfit = pair.tasks.filter(({ samples, tooLong }) => samples === 0 && tooLong > 0).length;
  if (unfit > 0) {
    add(
      'too-long',
      'hole',
      `${amount(unfit, 'task')} of ${pair.tasks.length} were drawn and never fit \`maxSeqLen: ${intent.maxSeqLen}\`, the ` +
        `shortest prompt that does not has ${pair.shortestTooLong} tokens; raise \`maxSeqLen\` or add ` +
        '`removeTrainSamplesToFitMaxSeqLen`',
    );
  } else if (pair.tooLong > 0) {
    const text = `${pair.tooLong} of ${draws} prompts do not fit \`maxSeqLen: ${intent.maxSeqLen}\` and are passed over`;
    add('too-long', 'note', text);
  }
  if (pair.shownTargets > 0) {
    add(
      'target-shown',
      'hole',
      `${amount(pair.shownTargets, 'prompt')} of ${pair.samples} show the sample that they ask for`,
    );
  }
  if (pair.badEnds > 0) {
    const text = `in ${pair.badEnds} of ${amount(pair.checkedEnds, 'prompt')} the end of the answer is not learned`;
    add('end-not-learned', 'hole', `${text}: the model would not stop`);
  }
  for (const text of missingChanges(pair, changesFor(intent, pair.asksFor)))
    add('augmentation', 'hole', `${text} ${looked}`);
  return findings;
}

/** Changes that are asked for and were never drawn, though chance does not explain it. */
function missingChanges({ changes, samples, tasks }: PairAudit, intent: StreamIntent): string[] {
  const never = (count: number, probability: number) =>
    isUnlikely(missingOf([{ count, draws: samples, probability }]));
  const texts: string[] = [];
  const symmetries = missingOf(
    changes.symmetries.map((count) => ({ count, draws: samples, probability: 1 / 8 })),
  );
  if (intent.geometricAugmentation && isUnlikely(symmetries)) {
    texts.push(`\`geometricAugmentation\`: ${symmetries.missing} of 8 symmetries never occur`);
  }
  // chance leaves the colours or an order as they are less often than half the time
  const isOrdered = intent.orderAugmentation && tasks.some(({ train }) => train.targets.length > 2);
  if (intent.colorAugmentation && never(changes.colors, 0.5)) {
    texts.push('`colorAugmentation`: colours are never permuted');
  }
  if (isOrdered && never(changes.orders, shareOf(tasks, ({ train }) => train.targets.length > 2) / 2)) {
    texts.push('`orderAugmentation`: train samples never change their order');
  }
  if (never(changes.otherTasks, intent.taskAugmentation)) {
    texts.push('`taskAugmentation`: no task is ever made into another');
  }
  return texts;
}

const shareOf = <T>(items: readonly T[], test: (item: T) => boolean): number =>
  items.filter(test).length / items.length;

/** What an audit found, holes first. */
export function auditFindings(audit: StreamAudit, intent: StreamIntent): AuditFinding[] {
  const findings = audit.pairs.flatMap((pair) => pairFindings(pair, audit, intent));
  if (audit.samples < audit.wanted) {
    const text = `${amount(audit.samples, 'sample')} of the run's ${audit.wanted.toLocaleString('en')} were looked at`;
    findings.push({ kind: 'walk', severity: 'note', text });
  }
  const rank = ({ severity }: AuditFinding) => Number(severity !== 'hole');
  return findings.sort((a, b) => rank(a) - rank(b));
}

/** How many samples of a set there are, and how many were targets or were seen. */
export interface Coverage {
  readonly samples: number;
  readonly targets: number;
  readonly seen: number;
}

/** The coverage of the samples of a set. */
export function coverageOf({ tasks }: PairAudit, set: SetName): Coverage {
  let [samples, targets, seen] = [0, 0, 0];
  for (const task of tasks) {
    const counts = task[set];
    for (const [i, count] of counts.targets.entries()) {
      samples++;
      if (count > 0) targets++;
      if (count + counts.shown[i]! > 0) seen++;
    }
  }
  return { samples, targets, seen };
}

/** An audit in one line. */
export function auditLine(audit: StreamAudit): string {
  const pairs = audit.pairs.map((pair) => {
    const sets = (['train', 'test'] as const).flatMap((set) => {
      const { samples, targets, seen } = coverageOf(pair, set);
      if (samples === 0) return [];
      const unseen = seen < samples ? ` (${samples - seen} never seen)` : '';
      return [`${targets} of ${samples} ${set} samples${unseen}`];
    });
    const drawn = pair.tasks.filter(({ samples }) => samples > 0).length;
    return `${pair.dataset} (${pair.kind}) ${drawn} of ${pair.tasks.length} tasks, targets ${sets.join(' and ')}`;
  });
  const of =
    audit.samples < audit.wanted ? `first ${audit.samples} of ${audit.wanted}` : `all ${audit.samples}`;
  return `training stream, ${of} samples: ${pairs.join('; ')}`;
}
