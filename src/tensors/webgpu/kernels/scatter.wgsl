// Sums of rows by an index, each by one invocation and in the order of the rows: atomic additions would be in any order.
// `Value`, the type of the elements, comes before this text.

/// Whether the last row of an index takes its place, instead of the sum of all.
override LAST: bool = false;

struct Params { size: u32, rows: u32, width: u32, targets: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
/// For each row the next one with the same index (or `rows`), and whether it is the first.
@group(0) @binding(2) var<storage, read_write> links: array<vec2u>;
@group(0) @binding(3) var<storage, read> updates: array<Value>;
@group(0) @binding(4) var<storage, read_write> out: array<Value>;

fn link(row: u32) {
  let index = indices[row];
  var isFirst = 1u;
  for (var other = 0u; other < row; other++) {
    if (indices[other] == index) {
      isFirst = 0u;
      break;
    }
  }
  var next = row + 1u;
  while (next < params.rows && indices[next] != index) { next++; }
  links[row] = vec2u(next, isFirst);
}

fn add(i: u32) {
  var row = i / params.width;
  let column = i % params.width;
  if (links[row].y == 0u || indices[row] >= params.targets) { return; }
  let place = indices[row] * params.width + column;
  var sum = Value();
  while (row < params.rows) {
    let value = updates[row * params.width + column];
    sum = select(sum + value, value, LAST);
    row = links[row].x;
  }
  out[place] = sum;
}
