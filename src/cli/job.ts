/** @file A command that several processes share, each started with the same words. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Placement } from '../tensors/collective/environment.js';
import { joinCollective } from '../tensors/collective/join.js';
import { RanksError } from '../tensors/collective/ranks.js';
import { TrainingRanks } from '../training/team.js';

/** This process's part in a job of several. */
export class Job {
  readonly ranks: TrainingRanks;
  /** Writes to the standard error, whatever the rank. */
  readonly #say: (line: string) => void;

  private constructor(ranks: TrainingRanks, say: (line: string) => void) {
    this.ranks = ranks;
    this.#say = say;
  }

  /**
   * Joins the other processes that run this command.
   * @throws {UserError} when they cannot be reached, or run another command or version
   */
  static async join(place: Placement, command: string): Promise<Job> {
    const write = process.stderr.write.bind(process.stderr);
    const say = (line: string) => void write(`error: ${line}\n`);
    if (place.rank > 0) silence();
    const collective = await joinCollective(place, (reason) => {
      say(reason);
      process.exit(1);
    }).catch((error) => {
      // one of them says it for all; the others cannot be asked
      if (place.rank > 0) say(`rank ${place.rank}: ${error.message}`);
      throw error;
    });
    const ranks = new TrainingRanks(collective);
    await ranks.agree({ 'the command': command, 'the version of arclab': versionOfThis() });
    return new Job(ranks, say);
  }

  /** Ends this rank's part with an error: in one line, which the first rank writes for all. */
  async fail(error: unknown, message: string): Promise<void> {
    const line = error instanceof RanksError ? message : await this.ranks.fail(message, { say: this.#say });
    if (this.ranks.isFirst) this.#say(line);
    // an mpirun ends the others when one ends with an error: not before it is said
    await this.ranks.collective.barrier();
    await this.ranks.collective.close();
  }

  /** Ends it, done or stopped. */
  async end(exitCode: number): Promise<void> {
    // stopped alone in the middle of work: the others would wait for ever
    if (this.ranks.isWorking) this.ranks.collective.abort(exitCode);
    await this.ranks.collective.close();
  }
}

/** What other ranks would write is what the first writes. */
function silence(): void {
  const nothing = (_: unknown, encoding?: unknown, done?: unknown): boolean => {
    const callback = typeof encoding === 'function' ? encoding : done;
    if (typeof callback === 'function') process.nextTick(callback as () => void);
    return true;
  };
  process.stdout.write = nothing as typeof process.stdout.write;
  process.stderr.write = nothing as typeof process.stderr.write;
}

/** The version, and a digest of the program: a build of other code is another. */
function versionOfThis(): string {
  const version = typeof __ARCLAB_VERSION__ === 'string' ? __ARCLAB_VERSION__ : 'development';
  const program = createHash('sha256').update(readFileSync(process.argv[1]!)).digest('hex').slice(0, 8);
  return `${version} (${program})`;
}
