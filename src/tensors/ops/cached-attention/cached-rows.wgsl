// The queries of a decoding step, for `attention-forward.wgsl`: each has its own slot of the cache.
struct Params {
  rows: u32,
  heads: u32,
  keyHeads: u32,
  window: u32,
  /// Positions of a slot.
  length: u32,
  scale: f32,
  softCap: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read> slots: array<u32>;
/// Positions that each query sees.
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

/// Heads that share keys and values.
fn sharing() -> u32 {
  return params.heads / params.keyHeads;
}

/// Workgroups for one query: its heads, ROWS at a time.
fn parts() -> u32 {
  return (sharing() + ROWS - 1u) / ROWS;
}

fn workgroups() -> u32 {
  return params.rows * params.keyHeads * parts();
}

fn keyStep() -> u32 {
  return DIM;
}

fn keysOf(number: u32) -> vec2u {
  let seen = lengths[number / parts() / params.keyHeads];
  return vec2u(max(seen, params.window) - params.window, min(seen, params.length));
}

fn queryOf(number: u32, row: u32) -> Query {
  let keyHead = number / parts() % params.keyHeads;
  let query = number / parts() / params.keyHeads;
  let index = number % parts() * ROWS + row;
  let head = min(index, sharing() - 1u);
  let range = keysOf(number);
  let at = (query * params.heads + keyHead * sharing() + head) * DIM;
  let keys = (slots[query] * params.keyHeads + keyHead) * params.length * DIM;
  return Query(index == head, at, keys, range.x, range.y);
}

fn finish(row: u32, value: f32) {}
