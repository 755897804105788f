// An invocation for each word of the rows, by `wordOf`, which comes before this text; those that belong outside of the
// cache are left out.

/// The width in words.
struct Params { size: u32, slots: u32, heads: u32, length: u32, width: u32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> cache: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> slots: array<u32>;
@group(0) @binding(4) var<storage, read> positions: array<u32>;

fn each(i: u32) {
  let column = i % params.width;
  let head = (i / params.width) % params.heads;
  let row = i / params.width / params.heads;
  let slot = slots[row];
  let position = positions[row];
  if (slot >= params.slots || position >= params.length) { return; }
  cache[((slot * params.heads + head) * params.length + position) * params.width + column] = wordOf(i);
}
