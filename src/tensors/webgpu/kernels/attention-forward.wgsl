// Forward pass with a running softmax (Dao et al. 2022), after `attention.wgsl` and a text that says which queries there
// are and which keys they see: `params` with its heads, keyHeads, scale and softCap, the buffers q and out, the constant
// QUERIES, how many queries with keys of their own a workgroup may have, and the functions `workgroups`, `keyStep`,
// `spanOf`, `queryOf` and `finish`; and after one that says how keys and values are read (`keysIn` of `attention.ts`).

/// Queries of a workgroup that see keys of one place.
struct Span {
  /// The element at which key 0 begins in k and v.
  keys: u32,
  /// The keys that any of them sees: the first, and the one after the last.
  begin: u32,
  end: u32,
  /// The first query that is not in it.
  next: u32,
}

/// One row.
struct Query {
  /// Whether it is one: the last workgroup has rows too many.
  exists: bool,
  /// Its number among the queries of the workgroup.
  number: u32,
  /// The element at which it begins in q and in out.
  at: u32,
  /// The keys that it sees: the first, and the one after the last.
  begin: u32,
  end: u32,
}

/// Heads that share keys and values.
fn sharing() -> u32 {
  return params.heads / params.keyHeads;
}

var<workgroup> queries: array<f32, ROW_TILE>;
var<workgroup> tile: array<f32, KEY_TILE>;
var<workgroup> weights: array<f32, SCORES>;

@compute @workgroup_size(COUNT)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = flat(group, groups);
  if (number >= workgroups()) { return; }
  let row = lane / SHARE;
  let part = lane % SHARE;
  let query = queryOf(number, row);
  for (var d = part; d < DIM; d += SHARE) {
    queries[row * STRIDE + d] = q[query.at + d] * params.scale;
  }
  var sums: array<f32, SUMS>;
  var top = LOWEST;
  var weight = 0.0;
  var first = 0u;
  while (first < QUERIES) {
    let span = spanOf(number, first);
    let isOfSpan = query.number >= first && query.number < span.next;
    for (var key = span.begin; key < span.end; key += KEYS) {
      workgroupBarrier();
      for (var i = PER * lane; i < KEYS * DIM; i += PER * COUNT) {
        let place = min(key + i / DIM, span.end - 1u);
        putKey(i / DIM * STRIDE + i % DIM, span.keys + place * keyStep() + i % DIM);
      }
      workgroupBarrier();
      for (var j = part; j < KEYS; j += SHARE) {
        var score = 0.0;
        for (var d = 0u; d < DIM; d++) {
          score += queries[row * STRIDE + d] * tile[j * STRIDE + d];
        }
        let seen = isOfSpan && key + j >= query.begin && key + j < query.end;
        weights[row * KEYS + j] = select(LOWEST, capped(score, params.softCap), seen);
      }
      workgroupBarrier();
      for (var i = PER * lane; i < KEYS * DIM; i += PER * COUNT) {
        let place = min(key + i / DIM, span.end - 1u);
        putValue(i / DIM * STRIDE + i % DIM, span.keys + place * keyStep() + i % DIM);
      }
      var highest = top;
      for (var j = 0u; j < KEYS; j++) {
        highest = max(highest, weights[row * KEYS + j]);
      }
      let shrink = exp(top - highest);
      top = highest;
      weight *= shrink;
      for (var i = 0u; i < SUMS; i++) {
        sums[i] *= shrink;
      }
      workgroupBarrier();
      for (var j = 0u; j < KEYS; j++) {
        let score = weights[row * KEYS + j];
        if (score > LOWEST || isBroken(score)) {
          // a score that is no number makes the row none, whatever the driver makes of its exponential
          let p = select(exp(score - top), score, isBroken(score));
          weight += p;
          for (var d = part; d < DIM; d += SHARE) {
            sums[d / SHARE] += p * tile[j * STRIDE + d];
          }
        }
      }
    }
    first = span.next;
  }
  if (query.exists) {
    for (var d = part; d < DIM; d += SHARE) {
      out[query.at + d] = sums[d / SHARE] / weight;
    }
    if (part == 0u) { finish(query.at / DIM, top + log(weight)); }
  }
}
