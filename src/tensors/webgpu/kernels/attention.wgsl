// What the kernels of attention share, after the constants DIM, ROWS and KEYS (`attention.ts`). A workgroup has ROWS rows
// of 8 lanes each. A row is a query of one head; those of the heads that share keys and values, and of neighbouring
// positions, are in one workgroup. Keys and values go through workgroup memory KEYS at a time, and scores are never
// written to the device's memory.
const SHARE = 8u;
/// Elements of its row that a lane has a sum for.
const SUMS = (DIM + SHARE - 1u) / SHARE;

const COUNT = ROWS * SHARE;
/// One more than a head has, so that rows lie in different banks.
const STRIDE = DIM + 1u;
const KEY_TILE = KEYS * STRIDE;
const ROW_TILE = ROWS * STRIDE;
const SCORES = ROWS * KEYS;

const LOWEST = -3.0e38;

/// The first of the positions from `begin` to before `end` that are in a window at its end.
fn firstInWindow(begin: u32, end: u32, window: u32) -> u32 {
  return max(begin + window, end) - window;
}

/// A score within its cap; 0 is none.
fn capped(score: f32, cap: f32) -> f32 {
  if (cap == 0.0) { return score; }
  return cap * safeTanh(score / cap);
}

/// The slope of `capped` where it gave `score`.
fn slopeOfCap(score: f32, cap: f32) -> f32 {
  if (cap == 0.0) { return 1.0; }
  let ratio = score / cap;
  return 1.0 - ratio * ratio;
}
