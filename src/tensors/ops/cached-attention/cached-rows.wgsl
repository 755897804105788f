// Queries to a cache, for `attention-forward.wgsl`, after the constant QUERIES: how many follow each other in a
// workgroup. Each has its own slot; those that follow each other in one, as a prompt's do, share its keys.

/// Heads of a query in a workgroup: all that share keys, or as many as there are rows.
const HEADS = ROWS / QUERIES;

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
@group(0) @binding(4) var<storage, read> slots: array<u32>;
/// Positions that each query sees.
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<f32>;

/// Workgroups for the same queries: their heads, HEADS at a time.
fn parts() -> u32 {
  return (sharing() + HEADS - 1u) / HEADS;
}

fn workgroups() -> u32 {
  return (params.rows + QUERIES - 1u) / QUERIES * params.keyHeads * parts();
}

fn keyStep() -> u32 {
  return DIM;
}

fn keyHeadOf(number: u32) -> u32 {
  return number / parts() % params.keyHeads;
}

/// The first query of a workgroup.
fn firstOf(number: u32) -> u32 {
  return number / parts() / params.keyHeads * QUERIES;
}

fn spanOf(number: u32, first: u32) -> Span {
  let start = firstOf(number);
  if (start + first >= params.rows) { return Span(0u, 0u, 0u, QUERIES); }
  let slot = slots[start + first];
  var span = Span((slot * params.keyHeads + keyHeadOf(number)) * params.length * DIM, params.length, 0u, first);
  while (span.next < QUERIES && start + span.next < params.rows && slots[start + span.next] == slot) {
    let seen = min(lengths[start + span.next], params.length);
    span.begin = min(span.begin, firstInWindow(0u, seen, params.window));
    span.end = max(span.end, seen);
    span.next++;
  }
  return span;
}

fn queryOf(number: u32, row: u32) -> Query {
  let own = row / HEADS;
  let query = min(firstOf(number) + own, params.rows - 1u);
  let index = number % parts() * HEADS + row % HEADS;
  let head = min(index, sharing() - 1u);
  let at = (query * params.heads + keyHeadOf(number) * sharing() + head) * DIM;
  let seen = min(lengths[query], params.length);
  let exists = index == head && query == firstOf(number) + own;
  return Query(exists, own, at, firstInWindow(0u, seen, params.window), seen);
}

fn finish(row: u32, value: f32) {}
