/** Where the time comes from: the machine's, or a test's own. */
export interface Clock {
  /** Seconds since some moment. */
  now(): number;
  /** Calls `action` once after so many seconds. @returns what cancels it */
  after(seconds: number, action: () => void): () => void;
}

/** The machine's own clock; it does not jump when the time of day is set. */
export const systemClock: Clock = {
  now: () => performance.now() / 1000,
  after(seconds, action) {
    const timer = setTimeout(action, 1000 * seconds);
    return () => clearTimeout(timer);
  },
};
