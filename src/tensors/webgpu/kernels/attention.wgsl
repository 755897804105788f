// What the kernels of attention share. A workgroup has ROWS rows of 8 lanes each. A row is a query of one head; those
// of the heads that share keys and values, and of neighbouring positions, are in one workgroup. Keys and values go
// through workgroup memory KEYS at a time, and scores are never written to the device's memory.
override DIM: u32;
override ROWS: u32 = 16u;
override KEYS: u32 = 16u;
/// The largest head there is a sum for: a lane has DIM / 8 elements of its row.
const MOST_SHARE = 32u;
const SHARE = 8u;

override COUNT: u32 = ROWS * SHARE;
/// One more than a head has, so that rows lie in different banks.
override STRIDE: u32 = DIM + 1u;
override KEY_TILE: u32 = KEYS * STRIDE;
override ROW_TILE: u32 = ROWS * STRIDE;
override SCORES: u32 = ROWS * KEYS;

const LOWEST = -3.0e38;

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
