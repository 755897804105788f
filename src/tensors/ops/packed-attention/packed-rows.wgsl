// The queries of packed samples, for `attention-forward.wgsl`: n positions of several heads.
/// Their keys lie in one piece.
const QUERIES = 1u;

struct Params {
  rows: u32,
  heads: u32,
  keyHeads: u32,
  /// Positions that a query sees; more than there are when there is no window.
  window: u32,
  scale: f32,
  softCap: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
/// Where the sample of each position begins, and where it ends.
@group(0) @binding(4) var<storage, read> bounds: array<vec2u>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> logSumExp: array<f32>;

fn workgroups() -> u32 {
  return (params.rows * sharing() + ROWS - 1u) / ROWS * params.keyHeads;
}

fn keyStep() -> u32 {
  return params.keyHeads * DIM;
}

/// The first key that a position sees.
fn firstSeen(position: u32) -> u32 {
  return firstInWindow(bounds[position].x, position + 1u, params.window);
}

fn spanOf(number: u32, first: u32) -> Span {
  let firstRow = number / params.keyHeads * ROWS;
  let lastRow = min(firstRow + ROWS, params.rows * sharing()) - 1u;
  let keys = number % params.keyHeads * DIM;
  return Span(keys, firstSeen(firstRow / sharing()), lastRow / sharing() + 1u, QUERIES);
}

fn queryOf(number: u32, row: u32) -> Query {
  let keyHead = number % params.keyHeads;
  let index = number / params.keyHeads * ROWS + row;
  let which = min(index, params.rows * sharing() - 1u);
  let position = which / sharing();
  let at = (position * params.heads + keyHead * sharing() + which % sharing()) * DIM;
  return Query(index == which, 0u, at, firstSeen(position), position + 1u);
}

fn finish(row: u32, value: f32) {
  logSumExp[row] = value;
}
