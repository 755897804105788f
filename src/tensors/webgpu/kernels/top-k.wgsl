// The k largest numbers of each row, the largest first and the lowest column among equals; `Value` and `orderOf` come
// before this text. A workgroup for each row finds the k-th number by its digits of 8 bits, the highest first, counting in
// workgroup memory how many numbers have each digit; then, where several equal it and not all are taken, the last column
// that is; then it collects the numbers and sorts them.
const WIDE = 256u;

struct Params { rows: u32, width: u32, k: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<Value>;
@group(0) @binding(2) var<storage, read_write> values: array<Value>;
@group(0) @binding(3) var<storage, read_write> columns: array<u32>;

var<workgroup> counts: array<atomic<u32>, WIDE>;
var<workgroup> digit: u32;
/// Numbers that are still to be taken.
var<workgroup> wanted: u32;
/// Whether all numbers with the last digit are taken.
var<workgroup> isWhole: u32;
var<workgroup> collected: atomic<u32>;
/// Numbers that were collected, padded to PADDED, a power of two.
var<workgroup> chosen: array<vec2u, PADDED>;

/// The digits of a number that were found, and where they are.
struct Search { found: u32, mask: u32 }

/// Whether the digits of a number above those that are looked for are the ones that were found.
fn isCandidate(number: u32, search: Search) -> bool {
  return (number & search.mask) == search.found;
}

/// Finds the next digit: counts it among candidates, and goes from the highest digit down until there are enough.
fn nextDigit(lane: u32) -> u32 {
  workgroupBarrier();
  if (lane == 0u) {
    var rest = wanted;
    var at = WIDE - 1u;
    while (at > 0u && atomicLoad(&counts[at]) < rest) {
      rest -= atomicLoad(&counts[at]);
      at--;
    }
    wanted = rest;
    isWhole = u32(atomicLoad(&counts[at]) == rest);
    digit = at;
  }
  return workgroupUniformLoad(&digit);
}

/// Whether the number at `a` comes before the one at `b`: the larger one, then the lower column.
fn isBefore(a: vec2u, b: vec2u) -> bool {
  return a.x > b.x || (a.x == b.x && a.y < b.y);
}

@compute @workgroup_size(WIDE)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = flat(group, groups);
  if (row >= params.rows) { return; }
  let start = row * params.width;
  if (lane == 0u) { wanted = params.k; }
  var value = Search(0u, 0u);
  for (var shift = 32u; shift > 0u; ) {
    shift -= 8u;
    atomicStore(&counts[lane], 0u);
    workgroupBarrier();
    for (var i = lane; i < params.width; i += WIDE) {
      let number = orderOf(x[start + i]);
      if (isCandidate(number, value)) { atomicAdd(&counts[(number >> shift) & 255u], 1u); }
    }
    value = Search(value.found | (nextDigit(lane) << shift), value.mask | (255u << shift));
  }
  var column = Search(0u, 0u);
  if (workgroupUniformLoad(&isWhole) == 0u) {
    // of the columns of equal numbers the lowest are taken, which are the highest of ~column
    for (var shift = 32u; shift > 0u; ) {
      shift -= 8u;
      atomicStore(&counts[lane], 0u);
      workgroupBarrier();
      for (var i = lane; i < params.width; i += WIDE) {
        if (orderOf(x[start + i]) == value.found && isCandidate(~i, column)) {
          atomicAdd(&counts[(~i >> shift) & 255u], 1u);
        }
      }
      column = Search(column.found | (nextDigit(lane) << shift), column.mask | (255u << shift));
    }
  }
  for (var i = lane; i < PADDED; i += WIDE) {
    chosen[i] = vec2u(0u, 0xffffffffu);
  }
  if (lane == 0u) { atomicStore(&collected, 0u); }
  workgroupBarrier();
  for (var i = lane; i < params.width; i += WIDE) {
    let number = orderOf(x[start + i]);
    if (number > value.found || (number == value.found && ~i >= column.found)) {
      chosen[atomicAdd(&collected, 1u)] = vec2u(number, i);
    }
  }
  workgroupBarrier();
  // a bitonic sort
  for (var size = 2u; size <= PADDED; size *= 2u) {
    for (var step = size / 2u; step > 0u; step /= 2u) {
      for (var i = lane; i < PADDED; i += WIDE) {
        let other = i ^ step;
        if (other > i) {
          let a = chosen[i];
          let b = chosen[other];
          if (isBefore(b, a) == ((i & size) == 0u)) {
            chosen[i] = b;
            chosen[other] = a;
          }
        }
      }
      workgroupBarrier();
    }
  }
  for (var i = lane; i < params.k; i += WIDE) {
    let at = chosen[i].y;
    values[row * params.k + i] = x[start + at];
    columns[row * params.k + i] = at;
  }
}
